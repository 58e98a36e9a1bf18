//! A host to keep values in, for tests.

use std::collections::HashMap;
use std::sync::Mutex;

use isthmus_gateway::{
    Address, BlobWriter, Delivery, Handle, JobId, Key, Later, Ref, Refusal, Report, Stored, Uplink,
    UserId,
};

/// Keeps values in memory.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<HashMap<String, Vec<u8>>>);

impl Shelf {
    pub(crate) fn value(&self, name: &str) -> Option<Vec<u8>> {
        self.0
            .lock()
            .expect("no test panics here")
            .get(name)
            .cloned()
    }

    pub(crate) fn put(&self, name: &str, value: Vec<u8>) {
        let mut values = self.0.lock().expect("no test panics here");
        values.insert(name.to_owned(), value);
    }
}

fn ready<T: Send + 'static>(value: T) -> Later<T> {
    Box::pin(std::future::ready(value))
}

impl Uplink for Shelf {
    fn find(&self, _: Handle, _: &Address) -> Later<Result<Vec<UserId>, Refusal>> {
        ready(Err(Refusal::Unknown))
    }

    fn deliver(&self, _: Vec<Delivery<'static>>, _: bool) -> Later<Vec<Result<Stored, Refusal>>> {
        ready(Vec::new())
    }

    fn begin(&self, _: JobId, _: u16, _: Vec<String>) -> Later<bool> {
        ready(false)
    }

    fn report(&self, _: Report) -> Later<Result<(), Refusal>> {
        ready(Err(Refusal::Unknown))
    }

    fn resolve(&self, _: Option<UserId>, _: Key<'_>) -> Later<Option<Ref>> {
        ready(None)
    }

    fn keep(&self, name: &str, value: Option<Vec<u8>>) -> Later<Result<(), Refusal>> {
        match value {
            Some(value) => self.put(name, value),
            None => {
                let mut values = self.0.lock().expect("no test panics here");
                values.remove(name);
            }
        }
        ready(Ok(()))
    }

    fn kept(&self, name: &str) -> Later<Result<Option<Vec<u8>>, Refusal>> {
        ready(Ok(self.value(name)))
    }

    fn store_blob(&self, _: &str, _: &str) -> Box<dyn BlobWriter> {
        panic!("no test stores a file")
    }

    fn secret(&self, label: &str) -> [u8; 32] {
        let mut secret = [7; 32];
        for (byte, label) in secret.iter_mut().zip(label.bytes()) {
            *byte = label;
        }
        secret
    }
}
