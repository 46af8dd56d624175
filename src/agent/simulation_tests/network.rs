//! The network between the agent and its receivers: packets take their time and keep their order, and are held, lost, or answered
//! with a reset.
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use turmoil_net::{EnterGuard, NetstatEntry, NetstatState, Packet, TcpFlags, TcpSegment, Transport, netstat};

/// The host of the agent.
pub const AGENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// The host of a receiver, numbered from 0.
pub fn receiver(n: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, 2 + n).into()
}

/// How often an idle connection is asked whether it lives, and how long nobody may answer: keepalive, which the simulated system lacks.
const KEEPALIVE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(3));
/// How often packets move.
pub const TICK: Duration = Duration::from_millis(10);

/// One direction between the agent and a receiver.
#[derive(Default)]
struct Way {
    /// Until then nothing arrives, and what is sent waits.
    held: Duration,
    /// What is sent until then is lost.
    lost: Duration,
    /// When the last packet arrives: no other overtakes it.
    last: Duration,
}

/// See the module.
pub struct Network {
    pub now: Duration,
    /// How long a packet takes, in milliseconds: at least, and how much more at most.
    latency: (u64, u64),
    random: super::Random,
    ways: BTreeMap<(IpAddr, IpAddr), Way>,
    /// Packets by when they arrive, and the order in which they were sent.
    on_the_way: BTreeMap<(Duration, u64), Packet>,
    sent: u64,
    /// Receivers whose program is not there: their systems refuse connections.
    pub down: BTreeSet<IpAddr>,
    /// Connections that a machine forgot when it crashed: the receiver, and the port of the agent.
    forgotten: BTreeSet<(IpAddr, u16)>,
    /// Since when nobody answers on idle connections of the agent, and when they are asked next.
    silent: BTreeMap<SocketAddr, Duration>,
    asks: Duration,
}

impl Network {
    pub fn new(latency: (u64, u64), random: super::Random) -> Network {
        let (now, ways, on_the_way) = (Duration::ZERO, BTreeMap::new(), BTreeMap::new());
        let (down, forgotten) = (BTreeSet::new(), BTreeSet::new());
        Network {
            now,
            latency,
            random,
            ways,
            on_the_way,
            sent: 0,
            down,
            forgotten,
            silent: BTreeMap::new(),
            asks: KEEPALIVE.0,
        }
    }

    /// Changes the directions to a receiver and from it, those that are meant.
    fn change(&mut self, of: IpAddr, directions: [bool; 2], change: impl Fn(&mut Way)) {
        for (way, is_meant) in [(AGENT, of), (of, AGENT)].into_iter().zip(directions) {
            if is_meant {
                change(self.ways.entry(way).or_default());
            }
        }
    }

    /// Nothing arrives for so long, and then all of it.
    pub fn hold(&mut self, of: IpAddr, wait: Duration, directions: [bool; 2]) {
        let until = self.now + wait;
        self.change(of, directions, |w| w.held = w.held.max(until));
    }

    /// What is sent for so long is lost.
    pub fn lose(&mut self, of: IpAddr, wait: Duration, directions: [bool; 2]) {
        let until = self.now + wait;
        self.change(of, directions, |w| w.lost = w.lost.max(until));
    }

    /// All is well again.
    pub fn repair(&mut self) {
        let now = self.now;
        self.ways.values_mut().for_each(|w| (w.held, w.lost) = (w.held.min(now), w.lost.min(now)));
    }

    /// The ports of the agent's connections to a receiver.
    fn ports(of: IpAddr) -> Vec<(u16, u16)> {
        let all = netstat(AGENT).entries.into_iter();
        all.filter_map(|e| Some((e.local.port(), e.peer.filter(|p| p.ip() == of)?.port()))).collect()
    }

    /// Something on the way resets every connection: the ends that hear of it are the agent's, the receiver's, or both.
    pub fn reset(&mut self, guard: &EnterGuard, of: IpAddr, agent: bool, peer: bool) {
        for (own, its) in Network::ports(of) {
            if agent {
                guard.deliver(reset((of, its), (AGENT, own)));
            }
            if peer {
                guard.deliver(reset((AGENT, own), (of, its)));
            }
        }
    }

    /// A machine forgets its connections, and is away for so long. What is on the way to it is lost.
    pub fn crash(&mut self, of: IpAddr, wait: Duration) {
        self.forgotten.extend(Network::ports(of).into_iter().map(|(own, _)| (of, own)));
        self.lose(of, wait, [true, true]);
        self.on_the_way.retain(|_, p| p.dst != of);
    }

    /// A step of time: what is due arrives, and what was sent sets out.
    pub fn tick(&mut self, guard: &EnterGuard) {
        self.now += TICK;
        while let Some(first) = self.on_the_way.first_entry().filter(|e| e.key().0 <= self.now) {
            let ((_, number), packet) = first.remove_entry();
            let held = self.ways.get(&(packet.src, packet.dst)).map_or(Duration::ZERO, |w| w.held);
            if held > self.now {
                self.on_the_way.insert((held, number), packet);
            } else {
                self.arrives(guard, packet);
            }
        }
        if self.now >= self.asks {
            self.asks = self.now + KEEPALIVE.0;
            self.keep_alive(guard);
        }
        let mut packets = Vec::new();
        guard.egress_all(&mut packets);
        packets.into_iter().for_each(|p| self.send(p));
    }

    /// A system answers with a reset what comes for a program that has closed, which the simulated one would keep.
    fn arrives(&mut self, guard: &EnterGuard, packet: Packet) {
        let Transport::Tcp(s) = &packet.payload else { return };
        let (from, to) = ((packet.src, s.src_port), (packet.dst, s.dst_port));
        let is_closed = |e: NetstatEntry| {
            matches!(e.state, Some(NetstatState::FinWait1 | NetstatState::FinWait2 | NetstatState::Closing))
        };
        if packet.dst != AGENT && !s.payload.is_empty() && end(to.into(), from.into()).is_some_and(is_closed) {
            guard.deliver(reset(from, to));
            self.send(reset(to, from));
        } else {
            guard.deliver(packet);
        }
    }

    /// Asks on the agent's idle connections whether their other end is there.
    fn keep_alive(&mut self, guard: &EnterGuard) {
        let idle =
            netstat(AGENT).entries.into_iter().filter(|e| e.send_q == 0 && e.state != Some(NetstatState::SynSent));
        let idle: Vec<_> = idle.filter_map(|e| Some((e.local, e.peer?))).collect();
        self.silent.retain(|local, _| idle.iter().any(|(l, _)| l == local));
        for (local, peer) in idle {
            let answer = reset((peer.ip(), peer.port()), (local.ip(), local.port()));
            let ways = [(local.ip(), peer.ip()), (peer.ip(), local.ip())];
            let is_open = |w: &Way| self.now >= w.lost && self.now >= w.held;
            if !ways.iter().filter_map(|w| self.ways.get(w)).all(is_open) {
                let since = *self.silent.entry(local).or_insert(self.now);
                if self.now - since >= KEEPALIVE.1 {
                    guard.deliver(answer);
                }
                continue;
            }
            self.silent.remove(&local);
            if end(peer, local).is_none() || self.forgotten.contains(&(peer.ip(), local.port())) {
                guard.deliver(answer);
            }
        }
    }

    fn send(&mut self, packet: Packet) {
        if self.ways.get(&(packet.src, packet.dst)).is_some_and(|w| self.now < w.lost) {
            return;
        }
        let Transport::Tcp(s) = &packet.payload else { return };
        // A machine that forgot a connection says nothing on it of its own.
        if self.forgotten.contains(&(packet.src, s.dst_port)) {
            return;
        }
        // The reset sets out when the packet does: nobody can tell.
        let is_refused = s.flags.syn && self.down.contains(&packet.dst);
        let packet = match is_refused || self.forgotten.contains(&(packet.dst, s.src_port)) {
            true if s.flags.rst => return,
            true => reset((packet.dst, s.dst_port), (packet.src, s.src_port)),
            false => packet,
        };
        let takes = Duration::from_millis(self.latency.0 + self.random.below(self.latency.1 + 1));
        let way = self.ways.entry((packet.src, packet.dst)).or_default();
        let at = (self.now + takes).max(way.held).max(way.last);
        way.last = at;
        self.sent += 1;
        self.on_the_way.insert((at, self.sent), packet);
    }
}

/// An end of a connection, as its system has it.
fn end(local: SocketAddr, peer: SocketAddr) -> Option<NetstatEntry> {
    netstat(local.ip()).entries.into_iter().find(|e| e.local == local && e.peer == Some(peer))
}

fn reset((src, src_port): (IpAddr, u16), (dst, dst_port): (IpAddr, u16)) -> Packet {
    let flags = TcpFlags { rst: true, ..TcpFlags::default() };
    let segment = TcpSegment { src_port, dst_port, seq: 0, ack: 0, flags, window: 0, payload: Default::default() };
    Packet { src, dst, ttl: 64, payload: Transport::Tcp(segment) }
}
