//! The four ports whose calls are noted.

use super::{
    Actor, Audience, Body, Bus, BusError, Call, Committed, Database, DatabaseError, Duration, Entry, Key,
    Leased, Location, Locked, Lookup, Member, Membership, Notice, Ports, Published, ReadFrom, Replaced, Row,
    SharedCache, SharedError, Stored, Token, Unlocked, Value, Verb,
};

/// L2, each call noted.
pub struct TracedShared<P>(pub(super) P);

impl<P: Ports> TracedShared<P> {
    fn call<'k, 'v>(&self, verb: Verb, key: &'k Key, line: &'static Location<'static>) -> Call<'k, 'v> {
        Call::new(self.0.shared().home(key), verb, key, line)
    }
}

impl<P: Ports> SharedCache for TracedShared<P> {
    fn home(&self, key: &Key) -> Actor {
        self.0.shared().home(key)
    }

    #[track_caller]
    fn get(&self, key: &Key) -> impl Future<Output = Result<Lookup, SharedError>> + Send {
        let call = self.call(Verb::Get, key, Location::caller());
        call.through(&self.0, self.0.shared().get(key))
    }

    #[track_caller]
    fn set(
        &self,
        key: &Key,
        entry: &Entry,
        ttl: Duration,
    ) -> impl Future<Output = Result<(), SharedError>> + Send {
        let call = self.call(Verb::Set, key, Location::caller()).writing(entry);
        call.through(&self.0, self.0.shared().set(key, entry, ttl))
    }

    #[track_caller]
    fn set_if_newer(
        &self,
        key: &Key,
        entry: &Entry,
        ttl: Duration,
    ) -> impl Future<Output = Result<Stored, SharedError>> + Send {
        let call = self.call(Verb::SetIfNewer, key, Location::caller()).writing(entry);
        call.through(&self.0, self.0.shared().set_if_newer(key, entry, ttl))
    }

    #[track_caller]
    fn replace_older(
        &self,
        key: &Key,
        entry: &Entry,
        ttl: Duration,
    ) -> impl Future<Output = Result<Replaced, SharedError>> + Send {
        let call = self.call(Verb::ReplaceOlder, key, Location::caller()).writing(entry);
        call.through(&self.0, self.0.shared().replace_older(key, entry, ttl))
    }

    #[track_caller]
    fn delete(&self, key: &Key) -> impl Future<Output = Result<(), SharedError>> + Send {
        let call = self.call(Verb::Delete, key, Location::caller());
        call.through(&self.0, self.0.shared().delete(key))
    }

    #[track_caller]
    fn get_or_lease(
        &self,
        key: &Key,
        token: Token,
        ttl: Duration,
    ) -> impl Future<Output = Result<Leased, SharedError>> + Send {
        let call = self.call(Verb::Lease, key, Location::caller()).asking(token);
        call.through(&self.0, self.0.shared().get_or_lease(key, token, ttl))
    }

    #[track_caller]
    fn fill(
        &self,
        key: &Key,
        token: Token,
        entry: &Entry,
        ttl: Duration,
    ) -> impl Future<Output = Result<Stored, SharedError>> + Send {
        let call = self.call(Verb::Fill, key, Location::caller()).writing(entry);
        call.through(&self.0, self.0.shared().fill(key, token, entry, ttl))
    }

    #[track_caller]
    fn lock(
        &self,
        name: &Key,
        token: Token,
        ttl: Duration,
    ) -> impl Future<Output = Result<Locked, SharedError>> + Send {
        let call = self.call(Verb::Lock, name, Location::caller()).asking(token);
        call.through(&self.0, self.0.shared().lock(name, token, ttl))
    }

    #[track_caller]
    fn unlock(&self, name: &Key, token: Token) -> impl Future<Output = Result<Unlocked, SharedError>> + Send {
        let call = self.call(Verb::Unlock, name, Location::caller());
        call.through(&self.0, self.0.shared().unlock(name, token))
    }
}

/// `PostgreSQL`, each call noted.
pub struct TracedDatabase<P>(pub(super) P);

impl<P: Ports> Database for TracedDatabase<P> {
    #[track_caller]
    fn read(&self, key: &Key, from: ReadFrom) -> impl Future<Output = Result<Row, DatabaseError>> + Send {
        let call = Call::new(from.actor(), Verb::Select, key, Location::caller());
        call.through(&self.0, self.0.database().read(key, from))
    }

    #[track_caller]
    fn update(
        &self,
        key: &Key,
        value: &Value,
    ) -> impl Future<Output = Result<Committed, DatabaseError>> + Send {
        let mut call = Call::new(Actor::Primary, Verb::Update, key, Location::caller());
        call.value = Some(value);
        async move { call.through(&self.0, self.0.database().update(key, value)).await }
    }
}

/// The bus, each publication noted. What arrives is noted by the adapter, which knows when.
pub struct TracedBus<P>(pub(super) P);

impl<P: Ports> Bus for TracedBus<P> {
    type Subscription = <P::Bus as Bus>::Subscription;

    #[track_caller]
    fn publish(
        &self,
        audience: Audience,
        notice: Notice,
    ) -> impl Future<Output = Result<Published, BusError>> + Send {
        let line = Location::caller();
        async move {
            let verb = match notice.body {
                Body::Invalidate { .. } => Verb::PublishInvalidate,
                Body::Filled { .. } => Verb::PublishFilled,
                Body::Acknowledge { .. } => Verb::PublishAcknowledge,
                Body::Beat => Verb::PublishBeat,
            };
            let key = notice.body.key().cloned();
            let version = match &notice.body {
                Body::Invalidate { version, .. } => *version,
                _ => None,
            };
            let call =
                Call { to: Actor::Bus, verb, key: key.as_ref(), version, value: None, token: None, line };
            call.through(&self.0, self.0.bus().publish(audience, notice)).await
        }
    }

    fn subscribe(&self) -> impl Future<Output = Result<Self::Subscription, BusError>> + Send {
        self.0.bus().subscribe()
    }
}

/// Membership, each call noted.
pub struct TracedMembership<P>(pub(super) P);

impl<P: Ports> Membership for TracedMembership<P> {
    #[track_caller]
    fn renew(&self, lease: Duration) -> impl Future<Output = Result<(), DatabaseError>> + Send {
        let line = Location::caller();
        let call = Call {
            to: Actor::Primary,
            verb: Verb::Renew,
            key: None,
            version: None,
            value: None,
            token: None,
            line,
        };
        call.through(&self.0, self.0.membership().renew(lease))
    }

    #[track_caller]
    fn live(&self) -> impl Future<Output = Result<Vec<Member>, DatabaseError>> + Send {
        let line = Location::caller();
        let call = Call {
            to: Actor::Primary,
            verb: Verb::Members,
            key: None,
            version: None,
            value: None,
            token: None,
            line,
        };
        async move { call.through(&self.0, self.0.membership().live()).await }
    }
}
