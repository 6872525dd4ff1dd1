//! Service specs and setup scripts.

use serde_json::{Value, json};

use super::super::error::{Answered, Error, Reply};
use crate::spec::{Drafted, Store, from_json};

fn value<K: Drafted>(kept: &K) -> Result<Value, Error> {
    serde_json::to_value(kept).map_err(|error| Error::new(500, error.to_string()))
}

pub(super) fn list<K: Drafted>(store: &Store<K>) -> Answered {
    let all: Result<Vec<_>, _> = store.list()?.iter().map(value).collect();
    Ok(Reply::of(200, json!(all?)))
}

pub(super) fn create<K: Drafted>(store: &Store<K>, body: &[u8]) -> Answered {
    let made = store.create(from_json::<K>(body)?)?;
    Ok(Reply::of(201, value(&made)?))
}

pub(super) fn get<K: Drafted>(store: &Store<K>, word: &str) -> Answered {
    Ok(Reply::of(200, value(&store.find(word)?)?))
}

pub(super) fn replace<K: Drafted>(store: &Store<K>, word: &str, body: &[u8]) -> Answered {
    let fields = from_json::<K>(body)?;
    let kept = store.update(word, |_| Ok(fields))?;
    Ok(Reply::of(200, value(&kept)?))
}

pub(super) fn delete<K: Drafted>(store: &Store<K>, word: &str) -> Answered {
    store.remove(word)?;
    Ok(Reply::done())
}
