//! Where things stand: the 840-unit stage of the desktop, and the 390-unit stage of a phone.

use lab_core::trace::Actor;

use super::Route;

/// Left edge and width of the whole stage, in units.
pub(crate) const WHOLE: (f64, f64) = (0.0, 840.0);
/// The stage without the names of its rows: the ruler with a little margin.
pub(crate) const CROPPED: (f64, f64) = (86.0, 740.0);
/// The stage of a phone.
pub(crate) const PHONE: (f64, f64) = (0.0, 390.0);

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
    const fn new(x: f64, y: f64, w: f64, h: f64) -> Self {
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
    /// Redis replicas; none on a phone.
    pub(crate) redis_replicas: Vec<Rect>,
    /// PostgreSQL, the primary first.
    pub(crate) postgres: Vec<Rect>,
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
    /// without the secondary line of the cards lower.
    pub(crate) fn desktop(servers: usize, named: bool, secondary: bool) -> Self {
        let servers = servers.max(1);
        let gap = 16.0;
        let width = (728.0 - gap * (servers as f64 - 1.0)) / servers as f64;
        let left = |place: usize| 92.0 + (width + gap) * place as f64;
        let card = if secondary { 128.0 } else { 103.0 };
        let below = 93.0 + card;
        let shard = |place: usize| 92.0 + 248.0 * place as f64;
        let (redis, postgres) = (below + 75.0, below + 169.0);
        Self {
            compact: false,
            secondary,
            span: if named { WHOLE } else { CROPPED },
            height: below + 255.0,
            servers: (0..servers).map(|place| Rect::new(left(place), 93.0, width, card)).collect(),
            clients: (0..servers).map(|place| Rect::new(left(place), 8.0, width, 28.0)).collect(),
            balancer: Rect::new(92.0, 42.0, 728.0, 22.0),
            bus: Rect::new(92.0, below + 25.0, 728.0, 8.0),
            masters: (0..3).map(|place| Rect::new(shard(place), redis, 152.0, 66.0)).collect(),
            redis_replicas: (0..3).map(|place| Rect::new(shard(place) + 168.0, redis, 64.0, 66.0)).collect(),
            postgres: vec![
                Rect::new(92.0, postgres, 262.0, 48.0),
                Rect::new(370.0, postgres, 217.0, 48.0),
                Rect::new(603.0, postgres, 217.0, 48.0),
            ],
            backbone: below + 55.0,
            down: 332.0,
            wal: postgres + 62.0,
            above_postgres: below + 155.0,
        }
    }

    /// The stage of a phone: servers two by two, shards and PostgreSQL three by three.
    pub(crate) fn phone(servers: usize) -> Self {
        let servers = servers.max(1);
        let rows = servers.div_ceil(2) as f64;
        let card = |place: usize| {
            Rect::new(16.0 + 183.0 * (place % 2) as f64, 66.0 + 88.0 * (place / 2) as f64, 175.0, 80.0)
        };
        let below = 66.0 + 88.0 * rows - 8.0;
        let third = |place: usize| 16.0 + 122.0 * place as f64;
        let block = 358.0 / servers as f64;
        Self {
            compact: true,
            secondary: false,
            span: PHONE,
            height: below + 202.0,
            servers: (0..servers).map(card).collect(),
            clients: (0..servers)
                .map(|place| Rect::new(16.0 + block * place as f64, 6.0, block - 6.0, 20.0))
                .collect(),
            balancer: Rect::new(16.0, 32.0, 358.0, 20.0),
            bus: Rect::new(16.0, below + 24.0, 358.0, 7.0),
            masters: (0..3).map(|place| Rect::new(third(place), below + 68.0, 114.0, 54.0)).collect(),
            redis_replicas: Vec::new(),
            postgres: (0..3).map(|place| Rect::new(third(place), below + 144.0, 114.0, 44.0)).collect(),
            backbone: below + 51.0,
            down: 134.0,
            wal: below + 195.0,
            above_postgres: below + 133.0,
        }
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
        let stores = self.masters.iter().chain(&self.redis_replicas).chain(&self.postgres).copied();
        let mut occupied: Vec<Rect> = stores.chain([self.balancer]).collect();
        for card in &self.servers {
            if self.compact {
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
        if self.compact { (Self::gutter(server), y) } else { (card.x + 34.0, y) }
    }

    /// On a phone, the line in the middle that servers use; each row keeps a little to its side.
    fn gutter(server: usize) -> f64 {
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
        let start = if self.compact {
            let outer = if place.is_multiple_of(2) { card.x + 8.0 } else { card.right() - 8.0 };
            let edge = if place.is_multiple_of(2) { 8.0 } else { PHONE.1 - 8.0 };
            if place < self.servers.len().saturating_sub(2) {
                vec![(card.x.max(edge.min(card.right())), card.y + 50.0), (edge, card.y + 50.0)]
            } else {
                vec![(outer, card.bottom())]
            }
        } else {
            vec![(card.x + card.w * 0.8, card.bottom())]
        };
        let x = start.last().map_or(0.0, |point| point.0);
        let mut points = start;
        points.push((x, self.backbone));
        match to {
            Actor::RedisMaster(shard) => {
                let node = self.masters.get(usize::from(shard))?;
                points.extend([(node.cx(), self.backbone), (node.cx(), node.y)]);
            }
            Actor::Primary | Actor::Replica(_) => {
                let place = if let Actor::Replica(replica) = to { usize::from(replica) } else { 0 };
                let node = self.postgres.get(place)?;
                let above = self.above_postgres;
                points.extend([
                    (self.down, self.backbone),
                    (self.down, above),
                    (node.cx(), above),
                    (node.cx(), node.y),
                ]);
            }
            _ => return None,
        }
        points.dedup_by(|one, other| (one.0 - other.0).abs() < 0.5 && (one.1 - other.1).abs() < 0.5);
        Some(Route(points))
    }

    /// The way between the clients of a server and the server.
    pub(crate) fn to_client(&self, server: usize) -> Option<Route> {
        let card = self.servers.get(server)?;
        if self.compact {
            // The cards stand close: a capsule lies over the edge, above the name.
            return Some(Route(vec![(card.cx(), card.y + 6.0), (card.cx(), card.y - 8.0)]));
        }
        Some(Route(vec![(card.cx(), card.y), (card.cx(), self.balancer.bottom())]))
    }

    /// The idle lines of the stage, as one path.
    pub(crate) fn backbone_path(&self) -> String {
        let mut path = String::new();
        let mut draw = |points: &[(f64, f64)]| {
            path.push_str(&Route(points.to_vec()).path());
            path.push(' ');
        };
        for (place, card) in self.servers.iter().enumerate() {
            if !self.compact || place < 2 {
                draw(&[(card.cx(), self.balancer.bottom()), (card.cx(), card.y)]);
            }
            draw(&self.to_bus(place).0);
            if let Some(server) = u8::try_from(place + 1).ok().map(lab_core::value::ServerId)
                && let Some(route) = self.to_store(Actor::Server(server), Actor::RedisMaster(1))
            {
                draw(&route.0);
            }
        }
        for node in &self.masters {
            draw(&[(node.cx(), self.backbone), (node.cx(), node.y)]);
        }
        let first = self.masters.first().map_or(0.0, Rect::cx);
        let last = self.masters.last().map_or(0.0, Rect::cx);
        draw(&[(first, self.backbone), (last, self.backbone)]);
        if let Some(primary) = self.postgres.first() {
            let above = self.above_postgres;
            draw(&[
                (self.down, self.backbone),
                (self.down, above),
                (primary.cx(), above),
                (primary.cx(), primary.y),
            ]);
            for replica in self.postgres.iter().skip(1) {
                draw(&self.wal_route(primary, replica).0);
            }
        }
        for (master, replica) in self.masters.iter().zip(&self.redis_replicas) {
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
