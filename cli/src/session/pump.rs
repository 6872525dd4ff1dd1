//! Moves bytes both ways until the command has ended.

use std::future::Future;
use std::io::Read;
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::session::SessionFrame;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::signals::{Notice, Signals};
use super::{encoded, input};
use crate::terminal::{self, RawMode};
use crate::ui::Ui;

/// How long a signal may wait for its way to the box to clear before we give up on the command.
const SIGNAL_PATIENCE: Duration = Duration::from_secs(2);

/// How often a person asks before we stop passing the question on.
const INSISTENCE: u32 = 3;

/// Output of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output<B> {
    /// Of its stdout.
    Stdout(B),
    /// Of its stderr.
    Stderr(B),
}

/// Where output comes from.
pub trait Source {
    /// A piece of output.
    type Bytes: AsRef<[u8]>;

    /// The next piece; `None` once the command has ended and all is read. Cancel safe.
    fn next(&mut self) -> impl Future<Output = Option<Result<Output<Self::Bytes>, Failure>>>;
}

/// Both directions of a session's exec.
pub struct Wire<W, S> {
    /// Takes frames.
    pub writer: W,
    /// Gives output.
    pub source: S,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The command ended; its exit code is to be asked for.
    Exited,
    /// We hung up because of this signal.
    HungUp(u8),
}

/// Moves bytes until the command has ended or a signal makes us hang up.
///
/// With `raw` the terminal's keys reach the command as bytes and signals to us mean that we should go; without it
/// they are passed on to the command.
///
/// # Errors
/// A wire that breaks, stdout that cannot be written.
pub async fn pump<W, S>(
    ui: &Ui,
    wire: Wire<W, S>,
    stdin: impl Read + Send + 'static,
    mut signals: Signals,
    raw: Option<&RawMode>,
    terminal: bool,
) -> Result<Ending, Failure>
where
    W: AsyncWrite + Unpin + Send + 'static,
    S: Source,
{
    let Wire { writer, mut source } = wire;
    let (control, orders) = mpsc::channel(16);
    let feeder = Feeder(tokio::spawn(feed(writer, input::read(stdin), orders)));
    let mut insistence = Insistence::default();
    let mut undelivered: Option<Undelivered> = None;
    loop {
        let patience = undelivered.as_ref().map(|waiting| waiting.until);
        tokio::select! {
            biased;
            notice = signals.next() => match notice {
                Notice::Signal(number) if terminal => return Ok(Ending::HungUp(number)),
                Notice::Signal(number) => {
                    if insistence.is_enough(number) {
                        return Ok(Ending::HungUp(number));
                    }
                    let (written, confirmation) = oneshot::channel();
                    // A full queue means that nothing gets through: the deadline of the first one decides.
                    if control.try_send((encoded(SessionFrame::Signal(number)), Some(written))).is_ok() && undelivered.is_none() {
                        undelivered = Some(Undelivered {
                            number,
                            until: Instant::now() + SIGNAL_PATIENCE,
                            confirmation,
                        });
                    }
                }
                Notice::Resized => resize(&control),
                Notice::Suspend => {
                    if let Some(raw) = raw {
                        raw.suspend();
                        terminal::stop_self();
                        raw.resume()?;
                    }
                    resize(&control);
                }
            },
            delivered = confirmed(&mut undelivered) => {
                // A feeder that is gone has nobody to deliver to; the source tells how it ended.
                let _ = delivered;
                undelivered = None;
            }
            () = sleep_until(patience.unwrap_or_else(Instant::now)), if patience.is_some() => {
                if let Some(waiting) = undelivered.take() {
                    return Ok(Ending::HungUp(waiting.number));
                }
            }
            output = source.next() => match output {
                None => break,
                Some(Err(failure)) => return Err(failure),
                Some(Ok(Output::Stdout(bytes))) => ui.data_bytes(bytes.as_ref())?,
                Some(Ok(Output::Stderr(bytes))) => ui.report_bytes(bytes.as_ref()),
            },
        }
    }
    drop(feeder);
    Ok(Ending::Exited)
}

type Order = (Vec<u8>, Option<oneshot::Sender<()>>);

/// Ends the feeder, and with it our side of the wire, however the pump ends.
struct Feeder(tokio::task::JoinHandle<()>);

impl Drop for Feeder {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A signal that has not got through yet.
struct Undelivered {
    number: u8,
    until: Instant,
    confirmation: oneshot::Receiver<()>,
}

async fn confirmed(undelivered: &mut Option<Undelivered>) -> Result<(), oneshot::error::RecvError> {
    match undelivered {
        Some(waiting) => (&mut waiting.confirmation).await,
        None => std::future::pending().await,
    }
}

/// Counts how often the same terminating signal came.
#[derive(Default)]
struct Insistence {
    last: u8,
    count: u32,
}

impl Insistence {
    /// Whether the person has asked often enough to hang up. User-defined signals never are.
    fn is_enough(&mut self, number: u8) -> bool {
        if !matches!(number, 1 | 2 | 3 | 15) {
            return false;
        }
        self.count = if self.last == number { self.count + 1 } else { 1 };
        self.last = number;
        self.count >= INSISTENCE
    }
}

fn resize(control: &mpsc::Sender<Order>) {
    let terminal::Size { columns, rows } = terminal::size();
    let frame = SessionFrame::Resize { columns, rows };
    // Where the queue is full a later change will say the same.
    let _ = control.try_send((encoded(frame), None));
}

/// Writes frames, orders before input. It keeps the writer after the input's end, since the end of the wire would
/// mean that we are gone.
async fn feed<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut input: mpsc::Receiver<Vec<u8>>,
    mut orders: mpsc::Receiver<Order>,
) {
    let mut open = true;
    loop {
        let (bytes, written) = tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(order) => order,
                None => return,
            },
            bytes = input.recv(), if open => match bytes {
                Some(bytes) => (bytes, None),
                None => {
                    open = false;
                    continue;
                }
            },
        };
        let result = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        // A wire that broke shows as the end of the output.
        if result.await.is_err() {
            return;
        }
        if let Some(written) = written {
            let _ = written.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;
    use crate::testing::block_on;
    use crate::ui::Look;
    use crate::ui::testing::captured;

    type Piece = Result<Output<Vec<u8>>, Failure>;

    struct Scripted(mpsc::Receiver<Piece>);

    impl Source for Scripted {
        type Bytes = Vec<u8>;

        async fn next(&mut self) -> Option<Piece> {
            self.0.recv().await
        }
    }

    struct Bench {
        pieces: mpsc::Sender<Piece>,
        notices: mpsc::Sender<Notice>,
        box_side: DuplexStream,
        wire: Option<Wire<DuplexStream, Scripted>>,
        signals: Option<Signals>,
    }

    fn bench(capacity: usize) -> Bench {
        let (pieces, source) = mpsc::channel(8);
        let (notices, receiver) = mpsc::channel(8);
        let (writer, box_side) = duplex(capacity);
        let source = Scripted(source);
        Bench {
            pieces,
            notices,
            box_side,
            wire: Some(Wire { writer, source }),
            signals: Some(Signals::from_channel(receiver)),
        }
    }

    #[test]
    fn output_is_split_and_input_framed() {
        let (ui, stdout, stderr) = captured(Look::default());
        let ending = block_on(async {
            let mut bench = bench(1024);
            let (wire, signals) = (bench.wire.take().unwrap(), bench.signals.take().unwrap());
            let pumping = pump(&ui, wire, b"hi".as_slice(), signals, None, false);
            let talking = async {
                let mut frames = [0; 12];
                bench.box_side.read_exact(&mut frames).await.unwrap();
                assert_eq!(frames, [0, 0, 0, 0, 2, b'h', b'i', 1, 0, 0, 0, 0]);
                bench.pieces.send(Ok(Output::Stdout(vec![0, 255]))).await.unwrap();
                bench
                    .pieces
                    .send(Ok(Output::Stderr(b"oops".to_vec())))
                    .await
                    .unwrap();
                drop(bench.pieces);
            };
            tokio::join!(pumping, talking).0
        });
        assert_eq!(ending, Ok(Ending::Exited));
        assert_eq!(stdout.bytes(), [0, 255]);
        assert_eq!(stderr.text(), "oops");
    }

    #[test]
    fn signals_are_passed_on_and_the_third_hangs_up() {
        let (ui, _, _) = captured(Look::default());
        let ending = block_on(async {
            let mut bench = bench(1024);
            let (wire, signals) = (bench.wire.take().unwrap(), bench.signals.take().unwrap());
            let pumping = pump(&ui, wire, std::io::empty(), signals, None, false);
            let talking = async {
                let mut end = [0; 5];
                bench.box_side.read_exact(&mut end).await.unwrap();
                for _ in 0..2 {
                    bench.notices.send(Notice::Signal(2)).await.unwrap();
                    let mut frame = [0; 6];
                    bench.box_side.read_exact(&mut frame).await.unwrap();
                    assert_eq!(frame, [2, 0, 0, 0, 1, 2]);
                }
                bench.notices.send(Notice::Signal(2)).await.unwrap();
            };
            tokio::join!(pumping, talking).0
        });
        assert_eq!(ending, Ok(Ending::HungUp(2)));
    }

    #[test]
    fn a_signal_that_cannot_get_through_hangs_up() {
        let (ui, _, _) = captured(Look::default());
        let ending = block_on(async {
            // The box reads nothing and the wire holds next to nothing.
            let mut bench = bench(4);
            let (wire, signals) = (bench.wire.take().unwrap(), bench.signals.take().unwrap());
            bench.notices.send(Notice::Signal(15)).await.unwrap();
            pump(&ui, wire, std::io::repeat(1), signals, None, false).await
        });
        assert_eq!(ending, Ok(Ending::HungUp(15)));
    }

    #[test]
    fn with_a_terminal_a_signal_means_that_we_go() {
        let (ui, _, _) = captured(Look::default());
        let ending = block_on(async {
            let mut bench = bench(1024);
            let (wire, signals) = (bench.wire.take().unwrap(), bench.signals.take().unwrap());
            bench.notices.send(Notice::Signal(1)).await.unwrap();
            pump(&ui, wire, std::io::empty(), signals, None, true).await
        });
        assert_eq!(ending, Ok(Ending::HungUp(1)));
    }
}
