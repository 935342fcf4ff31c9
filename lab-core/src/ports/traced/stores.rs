//! The four ports whose calls are noted.

use super::{
    Actor, Audience, Body, Bus, BusError, Call, Command, Committed, Database, DatabaseError, Duration, Key,
    Location, Member, Membership, Notice, Ports, Published, ReadFrom, Renewal, Reply, Row, Settled,
    SharedCache, SharedError, Unpublished, Value, Verb, WriteId,
};

/// L2, each call noted.
pub struct TracedShared<P>(pub(super) P);

impl<P: Ports> SharedCache for TracedShared<P> {
    fn home(&self, key: &Key) -> Actor {
        self.0.shared().home(key)
    }

    #[track_caller]
    fn call(&self, key: &Key, command: Command) -> impl Future<Output = Result<Reply, SharedError>> + Send {
        let call = Call::command(self.home(key), key, &command, Location::caller());
        call.through(&self.0, self.0.shared().call(key, command))
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
        id: Option<WriteId>,
    ) -> impl Future<Output = Result<Committed, DatabaseError>> + Send {
        let mut call = Call::new(Actor::Primary, Verb::Update, key, Location::caller());
        call.value = Some(value.clone());
        async move { call.through(&self.0, self.0.database().update(key, value, id)).await }
    }

    #[track_caller]
    fn settle(&self, id: WriteId) -> impl Future<Output = Result<Settled, DatabaseError>> + Send {
        let call = Call::to_primary(Verb::Settle, Location::caller());
        call.through(&self.0, self.0.database().settle(id))
    }

    fn unpublished(
        &self,
        after: Duration,
    ) -> impl Future<Output = Result<Vec<Unpublished>, DatabaseError>> + Send {
        self.0.database().unpublished(after)
    }

    fn published(&self, id: WriteId, forget: bool) -> impl Future<Output = Result<(), DatabaseError>> + Send {
        self.0.database().published(id, forget)
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
    fn renew(&self, lease: Duration) -> impl Future<Output = Result<Renewal, DatabaseError>> + Send {
        let call = Call::to_primary(Verb::Renew, Location::caller());
        call.through(&self.0, self.0.membership().renew(lease))
    }

    #[track_caller]
    fn live(&self) -> impl Future<Output = Result<Vec<Member>, DatabaseError>> + Send {
        let call = Call::to_primary(Verb::Members, Location::caller());
        async move { call.through(&self.0, self.0.membership().live()).await }
    }

    #[track_caller]
    fn bar(&self, members: Vec<Member>) -> impl Future<Output = Result<(), DatabaseError>> + Send {
        let call = Call::to_primary(Verb::Bar, Location::caller());
        async move { call.through(&self.0, self.0.membership().bar(members)).await }
    }

    #[track_caller]
    fn leave(&self) -> impl Future<Output = Result<(), DatabaseError>> + Send {
        let call = Call::to_primary(Verb::Leave, Location::caller());
        async move { call.through(&self.0, self.0.membership().leave()).await }
    }
}
