//! A box that runs for as long as its work is saved, whatever state it was in.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::time::Timestamp;

use crate::boxes::{BoxInfo, BoxState};
use crate::context::Context;
use crate::docker::Docker;
use crate::interrupt::{Interrupt, Stopped};
use crate::lifecycle;
use crate::seed;

/// How long a start may take until the supervisor has read that it is to start no units, in seconds. A start that was
/// killed in between leaves that word behind for as long.
const START_SECONDS: u64 = 20;

/// Gets a box to run: thaws it, or starts it with its supervisor alone.
///
/// # Errors
/// A box that cannot be started, a signal. It may run by then; [`settle`] puts it back.
pub async fn wake(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    interrupt: &mut Interrupt,
) -> Result<(), Stopped> {
    match info.state {
        BoxState::Running => Ok(()),
        BoxState::Dead => Err(lifecycle::dead(info).into()),
        BoxState::Paused => Ok(lifecycle::unpause(docker, info).await?),
        BoxState::Stopped => {
            let container = &info.container_id;
            let step = context
                .ui
                .step(&format!("starting box `{}` without its units", info.name));
            // Mistakes in its agentbox.yaml are no concern here.
            interrupt.guard(lifecycle::refresh(context, docker, info)).await?;
            mark(
                docker,
                container,
                Timestamp::now().as_millis() / 1000 + START_SECONDS,
            )
            .await?;
            let mut attached = interrupt.guard(docker.attach(container, false)).await?;
            let mut line = lifecycle::ReadyLine::default();
            interrupt
                .guard(async {
                    docker.start_container(container).await?;
                    lifecycle::wait_ready(docker, container, &info.name, &mut attached.output, &mut line)
                        .await
                })
                .await?;
            step.finish("");
            Ok(())
        }
    }
}

/// Puts a box that stays back into the state it was in.
///
/// # Errors
/// Those of the engine.
pub async fn settle(docker: &Docker, info: &BoxInfo) -> Result<(), Failure> {
    let container = &info.container_id;
    match info.state {
        BoxState::Running | BoxState::Dead => {}
        BoxState::Paused => docker.pause_container(container).await?,
        BoxState::Stopped => {
            docker
                .stop_container(container, std::time::Duration::from_secs(10))
                .await?;
            // A start that failed has not used it up.
            mark(docker, container, 0).await?;
        }
    }
    Ok(())
}

/// Tells the supervisor that a start up to this time is to be one without units.
async fn mark(docker: &Docker, container: &str, until: u64) -> Result<(), Failure> {
    let archive = seed::private_file(paths::WITHOUT_UNITS, until.to_string().as_bytes())
        .map_err(|error| Failure::failed("cannot pack a file for the box").because(&error))?;
    let stream = futures_util::stream::once(std::future::ready(Ok(archive.into())));
    Ok(docker.upload(container, stream).await?)
}
