//! Signals of this process, as what they mean for a session.

use agentbox_ctl::failure::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// What happened outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// This signal came.
    Signal(u8),
    /// The terminal has another size.
    Resized,
    /// The process is asked to stop for a while (SIGTSTP), its terminal being in raw mode.
    Suspend,
}

/// Numbers that are the same on every platform we run on, but for USR1 and USR2.
const TERMINATING: [u8; 4] = [2, 15, 1, 3];

/// The signals a session cares for, from now on. Others keep doing what they do by default.
pub struct Signals {
    receiver: mpsc::Receiver<Notice>,
}

impl Signals {
    /// Starts listening. With a terminal in raw mode, size changes and SIGTSTP are ours too; without one SIGTSTP
    /// stops us as any other process.
    ///
    /// # Errors
    /// Handlers that cannot be installed.
    pub fn listen(terminal: bool) -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::channel(16);
        for number in TERMINATING {
            watch(
                SignalKind::from_raw(i32::from(number)),
                Notice::Signal(number),
                &sender,
            )?;
        }
        for kind in [SignalKind::user_defined1(), SignalKind::user_defined2()] {
            let linux = if kind == SignalKind::user_defined1() {
                10
            } else {
                12
            };
            watch(kind, Notice::Signal(linux), &sender)?;
        }
        if terminal {
            watch(SignalKind::window_change(), Notice::Resized, &sender)?;
            let stop = rustix::process::Signal::TSTP.as_raw();
            watch(SignalKind::from_raw(stop), Notice::Suspend, &sender)?;
        }
        Ok(Self { receiver })
    }

    /// The next notice. Cancel safe.
    pub async fn next(&mut self) -> Notice {
        match self.receiver.recv().await {
            Some(notice) => notice,
            None => std::future::pending().await,
        }
    }

    /// Notices from a test.
    #[cfg(test)]
    pub(super) fn from_channel(receiver: mpsc::Receiver<Notice>) -> Self {
        Self { receiver }
    }
}

fn watch(kind: SignalKind, notice: Notice, sender: &mpsc::Sender<Notice>) -> Result<(), Failure> {
    let mut stream: Signal =
        signal(kind).map_err(|error| Failure::failed("cannot listen for signals").because(&error))?;
    let sender = sender.clone();
    tokio::spawn(async move {
        while stream.recv().await.is_some() {
            if sender.send(notice).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}
