//! Where things stand: the 840-unit stage of the desktop, and the 390-unit stage of a phone.

use lab_core::cluster::{Shard, Topology};
use lab_core::trace::Actor;

use super::Route;
use super::grid::Grid;

/// Left edge and width of the whole stage, in units.
pub(crate) const WHOLE: (f64, f64) = (0.0, 840.0);
/// The stage without the names of its rows: the ruler with a little margin.
pub(crate) const CROPPED: (f64, f64) = (86.0, 740.0);
/// The stage of a phone.
pub(crate) const PHONE: (f64, f64) = (0.0, 390.0);

/// Left edge and width of what stands on the desktop's stage.
const RULER: (f64, f64) = (92.0, 728.0);
/// More servers than these stand in two rows.
const SERVERS_IN_A_ROW: usize = 5;
/// Height of a small server card.
const SMALL_CARD: f64 = 80.0;

/// A rectangle, in stage units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rect {
    /// Left edge.
    pub(crate) x: f64,
    /// Top edge.
    pub(crate) y: f64,
    /// Width.
    pub(crate) w: f64,
    /// Height.
    pub(crate) h: f64,
}

impl Rect {
    pub(super) const fn new(x: f64, y: f64, w: f64, h: f64) -> Self {
        Self { x, y, w, h }
    }

    /// Middle, from left to right.
    pub(crate) fn cx(&self) -> f64 {
        self.x + self.w / 2.0
    }

    /// Right edge.
    pub(crate) fn right(&self) -> f64 {
        self.x + self.w
    }

    /// Bottom edge.
    pub(crate) fn bottom(&self) -> f64 {
        self.y + self.h
    }
}

/// A whole stage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Geometry {
    /// Whether it is the phone's.
    pub(crate) compact: bool,
    /// Whether the server cards are small.
    pub(crate) small: bool,
    /// Whether the server cards show a line of other facts below the freshness tag.
    pub(crate) secondary: bool,
    /// Left edge and width of the view box: without the names of the rows it is narrower.
    pub(crate) span: (f64, f64),
    /// Height of the view box.
    pub(crate) height: f64,
    /// Server cards.
    pub(crate) servers: Vec<Rect>,
    /// Client blocks, one over each server.
    pub(crate) clients: Vec<Rect>,
    /// The load balancer.
    pub(crate) balancer: Rect,
    /// The bus.
    pub(crate) bus: Rect,
    /// Redis masters.
    pub(crate) masters: Vec<Rect>,
    /// The Redis replica beside each master that has one; none on a phone.
    pub(crate) redis_replicas: Vec<Option<Rect>>,
    /// PostgreSQL, the primary first.
    pub(crate) postgres: Vec<Rect>,
    /// How far before a node the line runs that leads past the row above it.
    gutter: f64,
    /// The height of the data backbone.
    backbone: f64,
    /// Where the way to PostgreSQL leaves the backbone.
    down: f64,
    /// The height of the line between the primary and its replicas.
    pub(crate) wal: f64,
    /// The height at which ways lead over the PostgreSQL nodes: half-way between them and Redis.
    above_postgres: f64,
}

impl Geometry {
    /// The stage of the desktop: the ruler from 92 to 820 of 840 units. Without the names of the rows it is narrower,
    /// without the secondary line of the cards lower. Many servers stand in two rows, with small cards.
    pub(crate) fn desktop(topology: &Topology, named: bool, secondary: bool) -> Self {
        let servers = usize::from(topology.servers.max(1));
        let small = servers > SERVERS_IN_A_ROW;
        let secondary = secondary && !small;
        let card = if small {
            SMALL_CARD
        } else if secondary {
            128.0
        } else {
            103.0
        };
        let cards = Grid::new(servers, if small { servers.div_ceil(2) } else { servers }, 16.0);
        let cards = cards.within(RULER, f64::INFINITY, card).rects(93.0);
        let below = cards.last().map_or(93.0, Rect::bottom);
        let redis = below + 75.0;
        let shards = Grid::new(topology.shards.len(), 6, if topology.shards.len() > 3 { 10.0 } else { 16.0 });
        let shards = shards.within(RULER, 232.0, 66.0).rects(redis);
        let nodes = usize::from(topology.postgres_replicas) + 1;
        let postgres = shards.last().map_or(redis, Rect::bottom) + 28.0;
        let clients = Grid::new(servers, servers, 16.0).within(RULER, f64::INFINITY, 28.0).rects(8.0);
        Self {
            compact: false,
            small,
            secondary,
            span: if named { WHOLE } else { CROPPED },
            height: postgres + 86.0,
            gutter: if topology.shards.len() > 3 { 5.0 } else { 8.0 },
            servers: cards,
            clients,
            balancer: Rect::new(RULER.0, 42.0, RULER.1, 22.0),
            bus: Rect::new(RULER.0, below + 25.0, RULER.1, 8.0),
            redis_replicas: Self::replicas(topology, &shards),
            masters: shards.iter().zip(&topology.shards).map(|(whole, shard)| master(whole, shard)).collect(),
            postgres: postgres_row(nodes, postgres),
            backbone: below + 55.0,
            down: shards.get(1).map_or(332.0, |second| second.x - if shards.len() > 3 { 5.0 } else { 8.0 }),
            wal: postgres + 62.0,
            above_postgres: postgres - 14.0,
        }
    }

    /// The stage of a phone: servers two by two, shards and PostgreSQL three by three.
    pub(crate) fn phone(topology: &Topology) -> Self {
        let servers = usize::from(topology.servers.max(1));
        let cards = Grid::new(servers, 2, 8.0).with(175.0, 80.0).rects_from(16.0, 66.0);
        let below = cards.last().map_or(66.0, Rect::bottom);
        let thirds = |count: usize, height: f64, top: f64| {
            Grid::new(count, 3, 8.0).with(114.0, height).rects_from(16.0, top)
        };
        let masters = thirds(topology.shards.len(), 54.0, below + 68.0);
        let postgres = masters.last().map_or(below + 68.0, Rect::bottom) + 22.0;
        let nodes = thirds(usize::from(topology.postgres_replicas) + 1, 44.0, postgres);
        let bottom = nodes.last().map_or(postgres, Rect::bottom);
        let block = 358.0 / servers as f64;
        Self {
            compact: true,
            small: true,
            secondary: false,
            span: PHONE,
            height: bottom + 14.0,
            gutter: 4.0,
            servers: cards,
            clients: (0..servers)
                .map(|place| Rect::new(16.0 + block * place as f64, 6.0, block - 6.0, 20.0))
                .collect(),
            balancer: Rect::new(16.0, 32.0, 358.0, 20.0),
            bus: Rect::new(16.0, below + 24.0, 358.0, 7.0),
            masters,
            redis_replicas: Vec::new(),
            postgres: nodes,
            backbone: below + 51.0,
            down: 134.0,
            wal: bottom + 7.0,
            above_postgres: postgres - 11.0,
        }
    }

    /// The replica beside each master that has one.
    fn replicas(topology: &Topology, shards: &[Rect]) -> Vec<Option<Rect>> {
        let beside = |whole: &Rect, shard: &Shard| {
            let width = replica_width(whole);
            shard.replica.then(|| Rect::new(whole.right() - width, whole.y, width, whole.h))
        };
        shards.iter().zip(&topology.shards).map(|(whole, shard)| beside(whole, shard)).collect()
    }

    /// Where capsules may stand: between the ends of the ruler, or of the phone's stage.
    pub(crate) fn field(&self) -> Rect {
        if self.compact {
            Rect::new(4.0, 0.0, PHONE.1 - 8.0, self.height)
        } else {
            Rect::new(self.balancer.x, 0.0, self.balancer.w, self.height)
        }
    }

    /// What capsules must not cover: nodes; of the phone's cards, which stand close, what is written on them.
    pub(crate) fn occupied(&self) -> Vec<Rect> {
        let stores =
            self.masters.iter().chain(self.redis_replicas.iter().flatten()).chain(&self.postgres).copied();
        let mut occupied: Vec<Rect> = stores.chain([self.balancer]).collect();
        for card in &self.servers {
            if self.small {
                occupied.push(Rect::new(card.x + 10.0, card.y + 10.0, 42.0, 12.0));
                occupied.push(Rect::new(card.right() - 58.0, card.y + 10.0, 48.0, 12.0));
                occupied.push(Rect::new(card.x, card.y + 24.0, card.w, card.h - 29.0));
            } else {
                occupied.push(*card);
                // The badge of a failed answer stands on this corner.
                occupied.push(Rect::new(card.right() - 10.0, card.y - 8.0, 20.0, 20.0));
            }
        }
        occupied
    }

    fn server_of(&self, actor: Actor) -> Option<(usize, &Rect)> {
        match actor {
            Actor::Server(server) => self.servers.get(server.index()).map(|card| (server.index(), card)),
            _ => None,
        }
    }

    /// Where a server's subscription meets the bus.
    pub(crate) fn port(&self, server: usize) -> (f64, f64) {
        let y = self.bus.y + self.bus.h / 2.0;
        let Some(card) = self.servers.get(server) else { return (self.bus.x, y) };
        let x = if self.compact {
            Self::middle(server)
        } else if self.stands_above(card) {
            card.x - 10.0
        } else {
            card.x + 34.0
        };
        (x, y)
    }

    /// Whether another row of cards stands below a card, so that its lines run beside that row.
    fn stands_above(&self, card: &Rect) -> bool {
        self.servers.last().is_some_and(|last| last.y > card.y)
    }

    /// On a phone, the line in the middle that servers use; each row keeps a little to its side.
    fn middle(server: usize) -> f64 {
        let side = if server.is_multiple_of(2) { -1.5 } else { 1.5 };
        194.5 + side + if server < 2 { 0.0 } else { side }
    }

    /// The way from a server to the bus.
    pub(crate) fn to_bus(&self, server: usize) -> Route {
        let port = self.port(server);
        let Some(card) = self.servers.get(server) else { return Route(vec![port]) };
        if self.compact {
            let side = if server.is_multiple_of(2) { card.right() } else { card.x };
            let y = card.y + 27.0;
            return Route(vec![(side, y), (port.0, y), port]);
        }
        if self.stands_above(card) {
            let y = card.y + 27.0;
            return Route(vec![(card.x, y), (port.0, y), port]);
        }
        Route(vec![(port.0, card.bottom()), port])
    }

    /// The way along the bus between two servers' ports.
    pub(crate) fn along_bus(&self, from: usize, to: usize) -> Route {
        let (start, end) = (self.port(from), self.port(to));
        let mut points = vec![start];
        points.extend(self.to_bus(to).reversed().0);
        if self.compact && (end.0 - start.0).abs() < 8.0 {
            return Route(points);
        }
        Route(points)
    }

    /// The way from a server to a store node.
    pub(crate) fn to_store(&self, from: Actor, to: Actor) -> Option<Route> {
        let (place, card) = self.server_of(from)?;
        let mut points = self.to_backbone(place, card);
        match to {
            Actor::RedisMaster(shard) => points.extend(self.to_master(self.masters.get(usize::from(shard))?)),
            // A phone draws no replica of its own: what goes to it goes to its shard.
            Actor::RedisReplica(shard) => {
                let (place, replicas) = (usize::from(shard), &self.redis_replicas);
                let replica = replicas.get(place).and_then(Option::as_ref);
                points.extend(self.to_master(replica.or(self.masters.get(place))?));
            }
            Actor::Primary | Actor::Replica(_) => {
                let place = if let Actor::Replica(replica) = to { usize::from(replica) } else { 0 };
                points.extend(self.to_postgres(self.postgres.get(place)?));
            }
            _ => return None,
        }
        points.dedup_by(|one, other| (one.0 - other.0).abs() < 0.5 && (one.1 - other.1).abs() < 0.5);
        Some(Route(points))
    }

    /// From a server's card to the backbone.
    fn to_backbone(&self, place: usize, card: &Rect) -> Vec<(f64, f64)> {
        let mut points = if self.compact {
            let outer = if place.is_multiple_of(2) { card.x + 8.0 } else { card.right() - 8.0 };
            let edge = if place.is_multiple_of(2) { 8.0 } else { PHONE.1 - 8.0 };
            if place < self.servers.len().saturating_sub(2) {
                vec![(card.x.max(edge.min(card.right())), card.y + 50.0), (edge, card.y + 50.0)]
            } else {
                vec![(outer, card.bottom())]
            }
        } else if self.stands_above(card) {
            vec![(card.x, card.y + 50.0), (card.x - 6.0, card.y + 50.0)]
        } else {
            vec![(card.x + card.w * 0.8, card.bottom())]
        };
        let x = points.last().map_or(0.0, |point| point.0);
        points.push((x, self.backbone));
        points
    }

    /// From the backbone to a Redis master: straight down, or beside the row above it.
    fn to_master(&self, node: &Rect) -> Vec<(f64, f64)> {
        if self.masters.first().is_some_and(|first| first.y < node.y) {
            let (x, above) = (node.x - self.gutter, node.y - 5.0);
            return vec![(x, self.backbone), (x, above), (node.cx(), above), (node.cx(), node.y)];
        }
        vec![(node.cx(), self.backbone), (node.cx(), node.y)]
    }

    /// From the backbone, past Redis, to a PostgreSQL node.
    fn to_postgres(&self, node: &Rect) -> Vec<(f64, f64)> {
        let above = self.above_postgres;
        let mut points = vec![(self.down, self.backbone), (self.down, above)];
        if self.postgres.first().is_some_and(|first| first.y < node.y) {
            let x = node.x - self.gutter;
            points.extend([(x, above), (x, node.y - 5.0), (node.cx(), node.y - 5.0), (node.cx(), node.y)]);
        } else {
            points.extend([(node.cx(), above), (node.cx(), node.y)]);
        }
        points
    }

    /// The way from a master to its replica, or from the primary to one of its.
    pub(crate) fn replication(&self, from: Actor, to: Actor) -> Option<Route> {
        match (from, to) {
            (Actor::RedisMaster(shard), Actor::RedisReplica(_)) => {
                let place = usize::from(shard);
                let (master, replica) = (self.masters.get(place)?, self.redis_replicas.get(place)?.as_ref()?);
                let y = master.y + 42.0;
                Some(Route(vec![(master.right(), y), (replica.x, y)]))
            }
            (Actor::RedisReplica(shard), Actor::RedisMaster(_)) => {
                Some(self.replication(Actor::RedisMaster(shard), Actor::RedisReplica(shard))?.reversed())
            }
            (Actor::Primary, Actor::Replica(number)) => {
                Some(self.wal_route(self.postgres.first()?, self.postgres.get(usize::from(number))?))
            }
            _ => None,
        }
    }

    /// The way between the clients of a server and the server.
    pub(crate) fn to_client(&self, server: usize) -> Option<Route> {
        let card = self.servers.get(server)?;
        if self.compact {
            // The cards stand close: a capsule lies over the edge, above the name.
            return Some(Route(vec![(card.cx(), card.y + 6.0), (card.cx(), card.y - 8.0)]));
        }
        let top = self.balancer.bottom();
        if self.servers.first().is_some_and(|first| first.y < card.y) {
            let (x, above) = (card.x - 3.0, card.y - 8.0);
            return Some(Route(vec![(card.cx(), card.y), (card.cx(), above), (x, above), (x, top)]));
        }
        Some(Route(vec![(card.cx(), card.y), (card.cx(), top)]))
    }

    /// The idle lines of the stage, as one path.
    pub(crate) fn backbone_path(&self) -> String {
        let mut path = String::new();
        let mut draw = |points: &[(f64, f64)]| {
            path.push_str(&Route(points.to_vec()).path());
            path.push(' ');
        };
        for (place, card) in self.servers.iter().enumerate() {
            if !self.compact {
                draw(&self.to_client(place).map(|way| way.reversed().0).unwrap_or_default());
            } else if place < 2 {
                draw(&[(card.cx(), self.balancer.bottom()), (card.cx(), card.y)]);
            }
            draw(&self.to_bus(place).0);
            draw(&self.to_backbone(place, card));
        }
        let mut ends = vec![self.down];
        ends.extend(
            self.servers
                .iter()
                .enumerate()
                .filter_map(|(place, card)| self.to_backbone(place, card).last().map(|point| point.0)),
        );
        for node in &self.masters {
            let way = self.to_master(node);
            ends.extend(way.first().map(|point| point.0));
            draw(&way);
        }
        let ends = ends.iter().fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(*x), high.max(*x)));
        draw(&[(ends.0, self.backbone), (ends.1, self.backbone)]);
        if let Some(primary) = self.postgres.first() {
            draw(&self.to_postgres(primary));
            for replica in self.postgres.iter().skip(1) {
                draw(&self.wal_route(primary, replica).0);
            }
        }
        for (master, replica) in self.masters.iter().zip(&self.redis_replicas) {
            let Some(replica) = replica else { continue };
            let y = master.y + 42.0;
            draw(&[(master.right(), y), (replica.x, y)]);
        }
        path
    }

    /// The way of the write-ahead log to a replica.
    pub(crate) fn wal_route(&self, primary: &Rect, replica: &Rect) -> Route {
        Route(vec![
            (primary.cx(), primary.bottom()),
            (primary.cx(), self.wal),
            (replica.cx(), self.wal),
            (replica.cx(), replica.bottom()),
        ])
    }
}

/// How wide the replica is of a shard that has so much room.
fn replica_width(shard: &Rect) -> f64 {
    if shard.w >= 200.0 { 64.0 } else { 34.0 }
}

/// The master of a shard: all its room but the replica's.
fn master(whole: &Rect, shard: &Shard) -> Rect {
    let gap = if whole.w >= 200.0 { 16.0 } else { 8.0 };
    let taken = if shard.replica { replica_width(whole) + gap } else { 0.0 };
    Rect { w: whole.w - taken, ..*whole }
}

/// PostgreSQL, the primary first: it is the widest where there is room.
fn postgres_row(nodes: usize, y: f64) -> Vec<Rect> {
    if nodes > 3 {
        return Grid::new(nodes, nodes, 12.0).within(RULER, f64::INFINITY, 48.0).rects(y);
    }
    let replica = |place: usize| Rect::new(137.0 + 233.0 * place as f64, y, 217.0, 48.0);
    let primary = Rect::new(RULER.0, y, 262.0, 48.0);
    std::iter::once(primary).chain((1..nodes).map(replica)).collect()
}
