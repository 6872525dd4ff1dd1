//! Output of units as the supervisor sends it.

use agentbox_ctl::client::{Client, Part};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::{Answer, Item, LogRange, Request};

use super::Printer;

/// Prints the output of `units` (empty: all), and goes on where the range says to follow.
///
/// # Errors
/// An unknown unit, a connection that ended, stdout that cannot be written.
pub async fn print(
    client: &Client,
    units: &[String],
    range: &LogRange,
    printer: &mut Printer<'_>,
) -> Result<(), Failure> {
    let request = Request::Logs {
        units: units.to_vec(),
        range: range.clone(),
    };
    let mut call = client.call(&request).await?;
    let mut head = None;
    loop {
        match call.next().await? {
            Part::Item(Item::Log(chunk)) => head = Some(chunk),
            Part::Data(bytes) => {
                let head = head.take().ok_or_else(out_of_order)?;
                printer.chunk(&head.unit, head.time, &bytes)?;
            }
            Part::Done(Answer::Nothing) => return Ok(()),
            Part::Item(Item::Event(_) | Item::Opened) | Part::Done(_) => return Err(out_of_order()),
        }
    }
}

fn out_of_order() -> Failure {
    Failure::failed("the supervisor sent log output out of order")
}

#[cfg(test)]
mod tests {
    use agentbox_ctl::protocol::message::LogChunk;

    use super::*;
    use crate::logs::Marks;
    use crate::testing::{Say, block_on, supervisor};
    use crate::ui::Look;
    use crate::ui::testing::captured;

    fn chunk(unit: &str) -> Say {
        Say::Item(Item::Log(LogChunk {
            unit: unit.to_owned(),
            time: None,
        }))
    }

    #[test]
    fn each_data_frame_goes_to_the_unit_of_its_head() {
        let (ui, stdout, _) = captured(Look::default());
        let marks = Marks {
            units: Some(vec!["a".to_owned(), "b".to_owned()]),
            timestamps: false,
        };
        block_on(async {
            let client = supervisor(|_| {
                vec![
                    chunk("a"),
                    Say::Data(b"1\n".to_vec()),
                    chunk("b"),
                    Say::Data(b"2\n".to_vec()),
                    Say::Done(Ok(Answer::Nothing)),
                ]
            });
            print(&client, &[], &LogRange::default(), &mut Printer::new(&ui, marks))
                .await
                .unwrap();
        });
        assert_eq!(stdout.text(), "a | 1\nb | 2\n");
    }

    #[test]
    fn data_without_a_head_is_refused() {
        let (ui, _, _) = captured(Look::default());
        let result = block_on(async {
            let client = supervisor(|_| vec![Say::Data(b"1\n".to_vec())]);
            let mut printer = Printer::new(&ui, Marks::default());
            print(&client, &[], &LogRange::default(), &mut printer).await
        });
        assert_eq!(result, Err(out_of_order()));
    }
}
