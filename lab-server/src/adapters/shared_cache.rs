//! L2 on a real Redis Cluster: it sends what a command's file says, and reads the answer as the file says.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use lab_core::ports::l2::{Command, Foreign, Raw, Reply, Text};
use lab_core::ports::{SharedCache, SharedError};
use lab_core::trace::Actor;
use lab_core::value::Key;
use redis::{Cmd, ErrorKind, Script, ServerErrorKind, Value, cmd};

use super::cluster::{CallError, Cluster};
use super::keyspace::Keyspace;

/// Every script, by its text: its hash alone is sent, the text where a node does not know it yet.
static SCRIPTS: LazyLock<BTreeMap<&'static str, Script>> = LazyLock::new(|| {
    let texts = Command::ALL.iter().filter_map(|facts| match facts.text {
        Text::Script(text) => Some(text),
        Text::Plain(_) => None,
    });
    texts.map(|text| (text, Script::new(text))).collect()
});

/// A server's view of the Redis Cluster.
pub struct RedisCache {
    cluster: Cluster,
    keyspace: Keyspace,
}

impl RedisCache {
    pub(super) fn new(cluster: Cluster, keyspace: Keyspace) -> Self {
        Self { cluster, keyspace }
    }

    fn stored(&self, key: &Key) -> String {
        self.keyspace.stored(key)
    }

    /// Runs a script by its hash; where the node does not know it, by its text.
    async fn run(&self, text: &str, name: &str, arguments: &[String]) -> Result<Value, CallError> {
        let script = SCRIPTS.get(text).expect("every command's script is known");
        let invoke = |how, what: &str| -> Cmd { cmd(how).arg(what).arg(1).arg(name).arg(arguments).clone() };
        match self.cluster.ask(&invoke("EVALSHA", script.get_hash())).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.cluster.call(&invoke("EVAL", text)).await
            }
            answer => answer.map_err(|error| self.cluster.failed(&error)),
        }
    }
}

impl SharedCache for RedisCache {
    fn home(&self, key: &Key) -> Actor {
        self.cluster.home(&self.stored(key))
    }

    async fn call(&self, key: &Key, command: Command) -> Result<Reply, SharedError> {
        let (name, arguments) = (self.stored(key), command.arguments());
        let answer = match command.text() {
            Text::Plain(word) => self.cluster.call(cmd(word).arg(name).arg(arguments)).await?,
            Text::Script(text) => self.run(text, &name, &arguments).await?,
        };
        Ok(command.read(raw(answer)?)?)
    }
}

fn raw(answer: Value) -> Result<Raw, Foreign> {
    match answer {
        Value::Nil => Ok(Raw::Nil),
        Value::Okay => Ok(Raw::Okay),
        Value::Int(number) => Ok(Raw::Number(number)),
        Value::BulkString(bytes) => {
            String::from_utf8(bytes).map(Raw::Text).map_err(|error| Foreign(error.to_string()))
        }
        other => Err(Foreign(format!("{other:?}"))),
    }
}

impl From<CallError> for SharedError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Failed(why) => Self::Failed(why),
            CallError::Unknown => Self::Unknown,
        }
    }
}
