//! `PostgreSQL`: a primary that gives rows their versions, and replicas that follow its log.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ports::{Committed, Member, ReadFrom, Renewal, Row, Settled, Unpublished};
use crate::value::{Instant, Key, ServerId, Value, Version, WriteId};

/// Bytes of write-ahead log that a commit of one row makes: a heap record and a commit record.
const WAL_BYTES: u64 = 0x90;
/// Where the log stands after the tables were made.
const WAL_START: u64 = 0x0150_0000;

/// Writes that are taken out of the outbox at once.
const TAKEN_MAX: usize = 32;

/// A statement.
#[derive(Clone, Debug)]
pub(super) enum Statement {
    Select(Key, ReadFrom),
    Update(Key, Value, Option<WriteId>),
    Settle(WriteId),
    Unpublished(Duration),
    /// Whether its name is to go, too.
    Published(WriteId, bool),
    Renew(Member, Duration),
    Members,
    Bar(Vec<Member>),
    Leave(Member),
}

/// What a statement answers.
#[derive(Clone, Debug)]
pub(super) enum Rows {
    Row(Row),
    Committed(Committed),
    /// The write's name stood in the outbox already: nothing was done.
    Duplicate,
    Settled(Settled),
    Unpublished(Vec<Unpublished>),
    Published,
    Renewed(Renewal),
    Members(Vec<Member>),
    Barred,
    Left,
}

/// A row as a commit left it, on its way to the replicas.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) key: Key,
    pub(super) value: Value,
    pub(super) version: Version,
    pub(super) lsn: u64,
    pub(super) committed: Instant,
}

#[derive(Clone, Debug, Default)]
struct Table(BTreeMap<Key, (Value, Version)>);

impl Table {
    fn row(&self, key: &Key, as_of: Instant) -> Row {
        match self.0.get(key) {
            Some((value, version)) => Row { value: Some(value.clone()), version: *version, as_of },
            None => Row { value: None, version: Version(0), as_of },
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Replica {
    table: Table,
    /// The commit time of the last record that it replayed, and its end in the log.
    replayed: Instant,
    lsn: u64,
}

/// A server's place in the table of members.
#[derive(Clone, Debug)]
struct Seat {
    incarnation: u64,
    until: Instant,
    barred: bool,
}

/// What stands in the outbox under a write's name.
#[derive(Clone, Debug)]
enum Posted {
    /// The write did not happen, and never will.
    Refused,
    /// It is committed. Where it is still to be published: since when nobody has taken it.
    Committed { key: Key, version: Version, untaken: Option<Instant> },
}

/// The primary with its replicas.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    table: Table,
    lsn: u64,
    /// Everything committed so far: as long as the run.
    log: Vec<Record>,
    members: BTreeMap<ServerId, Seat>,
    /// Names stay as long as the run.
    outbox: BTreeMap<WriteId, Posted>,
    replicas: Vec<Replica>,
}

impl Postgres {
    pub(super) fn new(replicas: u8) -> Self {
        Self {
            table: Table::default(),
            lsn: WAL_START,
            log: Vec::new(),
            members: BTreeMap::new(),
            outbox: BTreeMap::new(),
            replicas: vec![Replica::default(); usize::from(replicas)],
        }
    }

    /// How many replicas there are.
    pub(super) fn replicas(&self) -> u8 {
        u8::try_from(self.replicas.len()).unwrap_or(u8::MAX)
    }

    /// Carries a statement out, which was sent at `sent`. A commit also gives the record for the replicas.
    pub(super) fn execute(
        &mut self,
        statement: Statement,
        sent: Instant,
        now: Instant,
    ) -> (Rows, Option<Record>) {
        match statement {
            Statement::Select(key, ReadFrom::Primary) => (Rows::Row(self.table.row(&key, sent)), None),
            Statement::Select(key, ReadFrom::Replica(number)) => {
                let replica = &self.replicas[usize::from(number) - 1];
                (Rows::Row(replica.table.row(&key, replica.replayed)), None)
            }
            Statement::Update(_, _, Some(id))
                if kept!("outbox.refused-stays") && self.outbox.contains_key(&id) =>
            {
                (Rows::Duplicate, None)
            }
            Statement::Update(key, value, id) => {
                let record = self.commit(key, value, now);
                if let Some(id) = id {
                    let (key, version) = (record.key.clone(), record.version);
                    self.outbox.insert(id, Posted::Committed { key, version, untaken: Some(now) });
                }
                let committed = Committed { version: record.version, lsn: record.lsn, as_of: sent };
                (Rows::Committed(committed), Some(record))
            }
            Statement::Settle(id) => {
                let settled = match self.outbox.entry(id).or_insert(Posted::Refused) {
                    Posted::Refused => Settled::Refused,
                    Posted::Committed { version, .. } => Settled::Committed(*version),
                };
                (Rows::Settled(settled), None)
            }
            Statement::Unpublished(after) => (Rows::Unpublished(self.take_unpublished(after, now)), None),
            Statement::Published(id, forget) => {
                if forget {
                    self.outbox.remove(&id);
                } else if let Some(Posted::Committed { untaken, .. }) = self.outbox.get_mut(&id) {
                    *untaken = untaken.filter(|_| !kept!("outbox.published-is-gone"));
                }
                (Rows::Published, None)
            }
            Statement::Renew(member, lease) => (Rows::Renewed(self.renew(member, lease, now)), None),
            Statement::Members => (Rows::Members(self.live(now)), None),
            Statement::Bar(members) => {
                for member in members {
                    if let Some(seat) = self.seat_of(member) {
                        seat.barred = true;
                    }
                }
                (Rows::Barred, None)
            }
            Statement::Leave(member) => {
                if kept!("members.leave") && self.seat_of(member).is_some() {
                    self.members.remove(&member.server);
                }
                (Rows::Left, None)
            }
        }
    }

    fn renew(&mut self, member: Member, lease: Duration, now: Instant) -> Renewal {
        let keeps_out =
            |seat: &mut Seat| seat.barred && (now < seat.until || !kept!("members.barred-for-a-lease"));
        if kept!("members.barred") && self.seat_of(member).is_some_and(keeps_out) {
            return Renewal::Barred;
        }
        let seat = Seat { incarnation: member.incarnation, until: now.after(lease), barred: false };
        self.members.insert(member.server, seat);
        Renewal::Member(self.live(now))
    }

    fn live(&self, now: Instant) -> Vec<Member> {
        let live = self.members.iter().filter(|(_, seat)| now < seat.until || !kept!("members.lease-ends"));
        live.map(|(server, seat)| Member { server: *server, incarnation: seat.incarnation }).collect()
    }

    fn seat_of(&mut self, member: Member) -> Option<&mut Seat> {
        let seat = self.members.get_mut(&member.server);
        seat.filter(|seat| seat.incarnation == member.incarnation || !kept!("members.own-life"))
    }

    /// The writes that nobody has taken for so long; they are taken now.
    fn take_unpublished(&mut self, after: Duration, now: Instant) -> Vec<Unpublished> {
        let mut taken = Vec::new();
        for (id, posted) in &mut self.outbox {
            if let Posted::Committed { key, version, untaken: Some(since) } = posted
                && (now.since(*since) >= after || !kept!("outbox.after-a-while"))
                && taken.len() < TAKEN_MAX
            {
                if kept!("outbox.one-taker") {
                    *since = now;
                }
                taken.push(Unpublished { id: *id, key: key.clone(), version: *version });
            }
        }
        taken
    }

    /// Commits a row and says what the log holds of it.
    pub(super) fn commit(&mut self, key: Key, value: Value, now: Instant) -> Record {
        let version = self.table.0.get(&key).map_or(Version(1), |(_, version)| Version(version.0 + 1));
        self.lsn += WAL_BYTES;
        self.table.0.insert(key.clone(), (value.clone(), version));
        let record = Record { key, value, version, lsn: self.lsn, committed: now };
        self.log.push(record.clone());
        record
    }

    /// What a replica has not replayed yet, for a connection that begins anew.
    pub(super) fn missing(&self, number: u8) -> Vec<Record> {
        let replayed = self.replicas[usize::from(number) - 1].lsn;
        self.log.iter().filter(|record| record.lsn > replayed).cloned().collect()
    }

    /// Whether a record is the replica's next, or a later one: it may be sent again when a connection begins anew.
    pub(super) fn is_new(&self, number: u8, record: &Record) -> bool {
        record.lsn > self.replicas[usize::from(number) - 1].lsn
    }

    /// A replica replays a record.
    pub(super) fn replay(&mut self, number: u8, record: Record) {
        let replica = &mut self.replicas[usize::from(number) - 1];
        (replica.replayed, replica.lsn) = (record.committed, record.lsn);
        replica.table.0.insert(record.key, (record.value, record.version));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_log_positions_grow_and_replicas_follow() {
        let mut postgres = Postgres::new(2);
        let key = Key::new("product:1");
        let first = postgres.commit(key.clone(), Value::new("50"), Instant(1));
        let second = postgres.commit(key.clone(), Value::new("100"), Instant(2));
        assert_eq!((first.version, second.version), (Version(1), Version(2)));
        assert!(second.lsn > first.lsn);
        postgres.replay(1, first);
        let mut read =
            |from| match postgres.execute(Statement::Select(key.clone(), from), Instant(9), Instant(9)) {
                (Rows::Row(row), None) => row,
                other => panic!("a select answers a row, not {other:?}"),
            };
        assert_eq!(read(ReadFrom::Primary).version, Version(2));
        let lagging = read(ReadFrom::Replica(1));
        assert_eq!((lagging.version, lagging.as_of), (Version(1), Instant(1)));
        assert_eq!(read(ReadFrom::Replica(2)).value, None);
    }

    #[test]
    fn a_membership_lease_runs_out() {
        let mut postgres = Postgres::new(0);
        let member = Member { server: ServerId(1), incarnation: 7 };
        let renew = Statement::Renew(member, Duration::from_nanos(10));
        postgres.execute(renew, Instant(0), Instant(0));
        let mut live = |now| match postgres.execute(Statement::Members, now, now) {
            (Rows::Members(members), None) => members,
            other => panic!("members are asked for, not {other:?}"),
        };
        assert_eq!(live(Instant(9)), [member]);
        assert_eq!(live(Instant(10)), []);
    }
}
