//! Copies of specs and scripts for boxes: made for a new box, added to and taken from one that is there.

use agentbox_ctl::config::nearest;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::attached::Copy;
use agentbox_ctl::spec::{Attachments, Kind, Origin, ServiceSpec, SetupScript};

use super::Drafted;
use super::kept::Refused;
use super::store::Store;
use crate::boxes::identity::host_id;
use crate::context::Context;
use crate::ui::one_line;

/// Everything that belongs to the user of a context.
#[derive(Debug, Clone)]
pub struct Library {
    /// Service specs.
    pub service_specs: Store<ServiceSpec>,
    /// Setup scripts.
    pub setup_scripts: Store<SetupScript>,
    /// What copies of them say about where they are from.
    pub origin: Origin,
}

/// A kind of object that boxes have copies of.
pub trait Attached: Drafted + Clone + PartialEq {
    /// Which one.
    const KIND: Kind;

    /// All of a user's.
    fn store(library: &Library) -> &Store<Self>;
    /// Those of a box.
    fn of(attachments: &Attachments) -> &Vec<Copy<Self>>;
    /// Those of a box, for change.
    fn of_mut(attachments: &mut Attachments) -> &mut Vec<Copy<Self>>;
}

impl Attached for ServiceSpec {
    const KIND: Kind = Kind::ServiceSpec;

    fn store(library: &Library) -> &Store<Self> {
        &library.service_specs
    }

    fn of(attachments: &Attachments) -> &Vec<Copy<Self>> {
        &attachments.service_specs
    }

    fn of_mut(attachments: &mut Attachments) -> &mut Vec<Copy<Self>> {
        &mut attachments.service_specs
    }
}

impl Attached for SetupScript {
    const KIND: Kind = Kind::SetupScript;

    fn store(library: &Library) -> &Store<Self> {
        &library.setup_scripts
    }

    fn of(attachments: &Attachments) -> &Vec<Copy<Self>> {
        &attachments.setup_scripts
    }

    fn of_mut(attachments: &mut Attachments) -> &mut Vec<Copy<Self>> {
        &mut attachments.setup_scripts
    }
}

impl Library {
    /// The user's.
    ///
    /// # Errors
    /// A user without a home.
    pub fn of(context: &Context) -> Result<Self, Failure> {
        let directory = context.data_directory.as_ref().ok_or_else(|| {
            Failure::failed(
                "there is no place for service specs and setup scripts: no home directory is known",
            )
            .hint("set HOME")
        })?;
        Ok(Self {
            service_specs: Store::new(directory),
            setup_scripts: Store::new(directory),
            origin: Origin {
                host: host_id(),
                home: context.home_label(),
            },
        })
    }

    /// Copies for a box, by ids or names, in the order given; each once.
    ///
    /// # Errors
    /// One that does not exist; files that cannot be read.
    pub fn copies(&self, service_specs: &[String], setup_scripts: &[String]) -> Result<Attachments, Refused> {
        Ok(Attachments {
            service_specs: self.copies_of(service_specs, |_, refused| refused)?,
            setup_scripts: self.copies_of(setup_scripts, |_, refused| refused)?,
            ..Attachments::default()
        })
    }

    /// Copies of one kind; `explain` says more about a word that names none.
    ///
    /// # Errors
    /// As [`Self::copies`].
    pub fn copies_of<K: Attached>(
        &self,
        words: &[String],
        explain: impl Fn(&str, Refused) -> Refused,
    ) -> Result<Vec<Copy<K>>, Refused> {
        let mut all: Vec<Copy<K>> = Vec::new();
        for word in words {
            let content = K::store(self)
                .find(word)
                .map_err(|refused| explain(word, refused))?;
            if !all.iter().any(|copy| copy.content.id() == content.id()) {
                all.push(self.copy_of(content));
            }
        }
        Ok(all)
    }

    fn copy_of<K>(&self, content: K) -> Copy<K> {
        Copy {
            origin: self.origin.clone(),
            content,
        }
    }

    /// Whether a copy is of something that is, or was, this user's.
    pub(super) fn has_made<K>(&self, copy: &Copy<K>) -> bool {
        copy.origin == self.origin
    }

    /// Adds a copy to a box's, at their end. `false` where the box has one already, which stays as it is.
    ///
    /// # Errors
    /// Another one of that name.
    pub fn attach<K: Attached>(&self, attachments: &mut Attachments, content: &K) -> Result<bool, Failure> {
        let copies = K::of_mut(attachments);
        if copies
            .iter()
            .any(|copy| copy.content.id() == content.id() && self.has_made(copy))
        {
            return Ok(false);
        }
        let Some(other) = copies
            .iter_mut()
            .find(|copy| copy.content.name() == content.name())
        else {
            copies.push(self.copy_of(content.clone()));
            return Ok(true);
        };
        // One that was made anew takes the place of its former self.
        if self.has_made(other) && K::store(self).get(other.content.id())?.is_none() {
            *other = self.copy_of(content.clone());
            return Ok(true);
        }
        let name = other.content.name();
        let whose = match self.has_made(other) {
            true => format!("your {}", other.content.id()),
            false => format!("one from another host or user, {}", one_line(other.content.id())),
        };
        Err(
            Failure::failed(format!("the box has another {} `{name}`: {whose}", K::WORD))
                .hint(format!("agentbox {} detach BOX {name}", K::COMMAND)),
        )
    }
}

/// Takes copies away from a box's, by ids or names: all of them, or none.
///
/// # Errors
/// One that is not attached (3).
pub fn detach<K: Attached>(attachments: &mut Attachments, words: &[String]) -> Result<Vec<K>, Failure> {
    let copies = K::of_mut(attachments);
    let mut taken = Vec::new();
    for word in words {
        let is_meant = |copy: &Copy<K>| copy.content.id() == word || copy.content.name() == word;
        if let Some(index) = copies.iter().position(is_meant) {
            taken.push(copies.remove(index).content);
        } else if !taken
            .iter()
            .any(|content: &K| content.id() == word || content.name() == word)
        {
            let names: Vec<_> = copies.iter().map(|copy| one_line(copy.content.name())).collect();
            let failure = Failure::not_found(format!("no {} `{}` is attached", K::WORD, one_line(word)));
            let mut budget = names.len();
            let meant = nearest(word, names.iter().map(AsRef::as_ref), &mut budget);
            return Err(match (meant, names.as_slice()) {
                (Some(name), _) => failure.hint(format!("did you mean {name}?")),
                (None, []) => failure.hint(format!("agentbox {} attach BOX NAME", K::COMMAND)),
                (None, names) => failure.cause(format!("attached are {}", names.join(", "))),
            });
        }
    }
    Ok(taken)
}

#[cfg(test)]
pub(super) mod tests {
    use agentbox_ctl::spec::ServiceSpecFields;

    use super::*;

    pub(in crate::spec) fn library(directory: &std::path::Path) -> Library {
        Library {
            service_specs: Store::new(directory),
            setup_scripts: Store::new(directory),
            origin: Origin {
                host: "here".to_owned(),
                home: "/home/me".to_owned(),
            },
        }
    }

    pub(in crate::spec) fn fields(name: &str) -> ServiceSpecFields {
        ServiceSpecFields {
            name: name.to_owned(),
            exec_start: "/bin/true".to_owned(),
            ..ServiceSpecFields::default()
        }
    }

    #[test]
    fn copies_are_in_the_order_given_and_once_each() {
        let directory = tempfile::tempdir().unwrap();
        let library = library(directory.path());
        let api = library.service_specs.create(fields("api")).unwrap();
        library.service_specs.create(fields("worker")).unwrap();
        let words = ["worker".to_owned(), "api".to_owned(), api.id];
        let copies = library.copies(&words, &[]).unwrap();
        let names: Vec<_> = copies
            .service_specs
            .iter()
            .map(|copy| copy.content.fields.name.as_str())
            .collect();
        assert_eq!(names, ["worker", "api"]);
        let missing = library.copies(&["apl".to_owned()], &[]).unwrap_err();
        assert!(matches!(missing, Refused::Missing(_)));
        insta::assert_snapshot!(Failure::from(missing).render(), @r"
        error: there is no service spec `apl`
        hint: did you mean api?
        ");
    }

    #[test]
    fn attaching_is_idempotent_and_a_name_is_there_once() {
        let directory = tempfile::tempdir().unwrap();
        let library = library(directory.path());
        let api = library.service_specs.create(fields("api")).unwrap();
        let mut attachments = Attachments::default();
        assert_eq!(library.attach(&mut attachments, &api), Ok(true));
        assert_eq!(library.attach(&mut attachments, &api), Ok(false));
        // Made anew under its name, it takes the old one's place.
        library.service_specs.remove("api").unwrap();
        let again = library.service_specs.create(fields("api")).unwrap();
        assert_eq!(library.attach(&mut attachments, &again), Ok(true));
        assert_eq!(attachments.service_specs.len(), 1);
        assert_eq!(attachments.service_specs[0].content.id, again.id);
        // Somebody else's is nobody's to replace.
        attachments.service_specs[0].origin.host = "elsewhere".to_owned();
        let failure = library.attach(&mut attachments, &again).unwrap_err();
        assert!(failure.message.contains("another host"), "{failure:?}");
    }

    #[test]
    fn detaching_is_all_or_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let library = library(directory.path());
        for name in ["api", "worker"] {
            library.service_specs.create(fields(name)).unwrap();
        }
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let mut attachments = library.copies(&words(&["api", "worker"]), &[]).unwrap();
        let failure = detach::<ServiceSpec>(&mut attachments.clone(), &words(&["api", "x"])).unwrap_err();
        assert_eq!(failure.kind.exit_code(), 3);
        let id = attachments.service_specs[1].content.id.clone();
        let taken = detach::<ServiceSpec>(&mut attachments, &words(&[&id, "api", "api"])).unwrap();
        assert_eq!(taken.len(), 2);
        assert!(attachments.is_empty());
    }
}
