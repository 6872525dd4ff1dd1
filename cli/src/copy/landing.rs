//! Where a copy ends up: the rules of `docker cp`, which are those of `cp -a` but for their care about slashes.
//!
//! ```text
//!              DST: nothing      nothing, with `/`   directory        anything else
//! file              as DST       error               DST/name         as DST
//! directory         as DST       as DST              DST/name         error
//! directory/.       as DST       as DST              its content      error
//! ```
//!
//! `DST/.` always means a directory that is there.

use super::endpoint::Ending;

/// What is at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupant {
    /// Nothing.
    Nothing,
    /// A directory, or a link to one.
    Directory,
    /// Anything else.
    Other,
}

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// It is a directory.
    pub directory: bool,
    /// What is in it is meant.
    pub contents: bool,
}

/// Where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// To the destination's own name, which is made or replaced.
    As,
    /// Into the destination, under the source's name.
    Inside,
    /// Into the destination, without the directory that it is in.
    Contents,
}

/// Why it goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A directory cannot take the place of a file.
    DirectoryOntoFile,
    /// The destination can only mean a directory, and is none.
    NotADirectory,
    /// The destination can only mean a directory, and there is none.
    NoSuchDirectory,
}

/// Decides.
///
/// # Errors
/// The destination cannot take it.
pub fn land(source: Shape, occupant: Occupant, destination: Ending) -> Result<Landing, Refusal> {
    match occupant {
        Occupant::Directory if source.directory && source.contents => Ok(Landing::Contents),
        Occupant::Directory => Ok(Landing::Inside),
        Occupant::Other if source.directory => Err(Refusal::DirectoryOntoFile),
        Occupant::Other if destination.directory => Err(Refusal::NotADirectory),
        Occupant::Nothing if destination.contents || (destination.directory && !source.directory) => {
            Err(Refusal::NoSuchDirectory)
        }
        Occupant::Other | Occupant::Nothing => Ok(Landing::As),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The table of `docker cp`'s manual, sentence by sentence.
    fn manual(
        file: bool,
        dot: bool,
        exists: bool,
        is_directory: bool,
        slash: bool,
    ) -> Result<Landing, Refusal> {
        if file {
            if !exists && !slash {
                return Ok(Landing::As);
            }
            if !exists && slash {
                return Err(Refusal::NoSuchDirectory);
            }
            if !is_directory {
                // The manual is silent about a slash after a file; every other tool refuses it.
                return if slash {
                    Err(Refusal::NotADirectory)
                } else {
                    Ok(Landing::As)
                };
            }
            return Ok(Landing::Inside);
        }
        if !exists {
            return Ok(Landing::As);
        }
        if !is_directory {
            return Err(Refusal::DirectoryOntoFile);
        }
        Ok(if dot { Landing::Contents } else { Landing::Inside })
    }

    proptest! {
        #[test]
        fn as_the_manual_of_docker_cp_has_it(
            file: bool, dot: bool, exists: bool, is_directory: bool, slash: bool, final_dot: bool
        ) {
            let occupant = match (exists, is_directory) {
                (false, _) => Occupant::Nothing,
                (true, true) => Occupant::Directory,
                (true, false) => Occupant::Other,
            };
            let source = Shape { directory: !file, contents: !file && dot };
            let ending = Ending { directory: slash || final_dot, contents: final_dot };
            let expected = if final_dot && !exists {
                Err(Refusal::NoSuchDirectory)
            } else {
                manual(file, dot, exists, is_directory, slash || final_dot)
            };
            prop_assert_eq!(land(source, occupant, ending), expected);
        }
    }
}
