//! The executor: polls the code under study, one task at a time, in an order that the seed picks.
//!
//! Nothing else decides anything: when no task is ready, time jumps to the next arrival. A task belongs to an actor
//! and dies with it. No lock is held while a task is polled or dropped, and a wake of a task that is gone is a no-op.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use super::busy::{Busy, Pace};
use super::kernel::{Kernel, Next, Orders};
use super::random::{Purpose, Stream};
use crate::ports::BoxFuture;
use crate::trace::{self, Actor};
use crate::value::Instant;
use crate::world::WorldError;

/// Polls at one instant before the run counts as a livelock.
const POLLS_AT_ONE_INSTANT_MAX: u32 = 1_000_000;

/// A run ends within so much virtual time. Beats go on for ever, so a run that waits for what never comes would too.
const RUN_MAX: Instant = Instant(3_600_000_000_000);

type Ready = Arc<Mutex<Vec<u32>>>;

struct TaskWaker {
    task: u32,
    queued: AtomicBool,
    ready: Ready,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.ready.lock().expect("no holder panics").push(self.task);
        }
    }
}

struct Task {
    owner: Option<Actor>,
    future: BoxFuture,
    waker: Arc<TaskWaker>,
    /// The same, as the context of a poll wants it.
    handle: Waker,
}

pub(super) struct Executor {
    /// By number. Numbers are not used twice, so a late wake hits nobody.
    tasks: Vec<Option<Task>>,
    ready: Ready,
    order: Stream,
    /// Who gets no turn, and the tasks that wait for theirs.
    paused: BTreeSet<Actor>,
    parked: Vec<u32>,
    /// Who waits for a turn, where servers are busy.
    busy: Option<Busy>,
    steps: u64,
    instant: Instant,
    polls_at_instant: u32,
}

impl Executor {
    pub(super) fn new(seed: u64, pace: Pace) -> Self {
        Self {
            tasks: Vec::new(),
            ready: Arc::default(),
            order: Stream::new(seed, Purpose::Scheduler),
            paused: BTreeSet::new(),
            parked: Vec::new(),
            busy: Busy::at(pace, seed),
            steps: 0,
            instant: Instant(0),
            polls_at_instant: 0,
        }
    }

    /// Starts a task; with an owner, it dies when the owner does.
    pub(super) fn spawn(&mut self, owner: Option<Actor>, future: BoxFuture) {
        let task = u32::try_from(self.tasks.len()).expect("a run has fewer than 2^32 tasks");
        let waker =
            Arc::new(TaskWaker { task, queued: AtomicBool::new(true), ready: Arc::clone(&self.ready) });
        let handle = Waker::from(Arc::clone(&waker));
        self.tasks.push(Some(Task { owner, future, waker, handle }));
        self.ready.lock().expect("no holder panics").push(task);
    }

    /// Polls one ready task, or starts and ends tasks as the kernel wants it, or lets the next thing arrive. `false`
    /// if there is nothing of it: the run is stuck.
    pub(super) fn step(&mut self, kernel: &Kernel) -> bool {
        self.steps += 1;
        if let Some(task) = self.pick() {
            self.polls_at_instant += 1;
            self.poll(task);
            if task == 0 {
                // The scenario may have killed somebody, who must not be polled once more.
                self.settle(kernel);
            }
            return self.polls_at_instant < POLLS_AT_ONE_INSTANT_MAX;
        }
        let now = match self.turn(kernel).map_or_else(|| kernel.next(), Next::At) {
            Next::At(now) => now,
            Next::Orders(orders) => {
                self.carry_out(orders);
                return true;
            }
            Next::Nothing => return false,
        };
        if now > RUN_MAX {
            return false;
        }
        if now != self.instant {
            (self.instant, self.polls_at_instant) = (now, 0);
        }
        true
    }

    /// Whether nothing more can happen at this instant but arrivals.
    pub(super) fn is_idle(&self, kernel: &Kernel) -> bool {
        let nobody = self.busy.as_ref().is_none_or(Busy::is_idle);
        nobody && self.ready.lock().expect("no holder panics").is_empty() && !kernel.has_orders()
    }

    /// Lets the next turns on busy servers begin, if they do before anything arrives, and says when that is.
    fn turn(&mut self, kernel: &Kernel) -> Option<Instant> {
        let busy = self.busy.as_mut().filter(|_| !kernel.has_orders())?;
        let now = busy.next().filter(|next| kernel.is_before_next(*next))?;
        kernel.advance_to(now);
        busy.begin(now);
        Some(now)
    }

    /// Whether the first task, the scenario's, has ended.
    pub(super) fn is_over(&self) -> bool {
        self.tasks.first().is_some_and(Option::is_none)
    }

    /// Picks a ready task by chance, among those whose owner gets a turn.
    fn pick(&mut self) -> Option<u32> {
        loop {
            if let Some(task) = self.busy.as_mut().and_then(Busy::take) {
                if !self.is_paused(task) {
                    return Some(task);
                }
                self.parked.push(task);
                continue;
            }
            let mut ready = self.ready.lock().expect("no holder panics");
            let task = match ready.len() {
                0 | 1 => ready.pop(),
                many => {
                    let many = u32::try_from(many).unwrap_or(u32::MAX);
                    Some(ready.swap_remove(self.order.below(many) as usize))
                }
            }?;
            drop(ready);
            if self.is_paused(task) {
                self.parked.push(task);
            } else if !self.is_put_off(task) {
                return Some(task);
            }
        }
    }

    /// Whether a server's task has to wait for its turn.
    fn is_put_off(&mut self, task: u32) -> bool {
        let Some(busy) = &mut self.busy else { return false };
        let owner = self.tasks[task as usize].as_ref().and_then(|task| task.owner);
        matches!(owner, Some(Actor::Server(_))) && busy.puts_off(task, self.instant)
    }

    fn is_paused(&self, task: u32) -> bool {
        let owner = || self.tasks[task as usize].as_ref()?.owner;
        !self.paused.is_empty() && owner().is_some_and(|owner| self.paused.contains(&owner))
    }

    fn poll(&mut self, number: u32) {
        let Some(task) = self.tasks[number as usize].as_mut() else {
            return;
        };
        task.waker.queued.store(false, Ordering::Release);
        let mut context = Context::from_waker(&task.handle);
        if trace::unscoped(|| task.future.as_mut().poll(&mut context)).is_ready() {
            self.tasks[number as usize] = None;
        }
    }

    fn settle(&mut self, kernel: &Kernel) {
        if let Some(orders) = kernel.take_orders() {
            self.carry_out(orders);
        }
    }

    /// Starts the tasks that were asked for, and ends those of actors that died.
    fn carry_out(&mut self, Orders { spawned, killed, paused, resumed }: Orders) {
        self.paused.extend(paused);
        if !resumed.is_empty() || !killed.is_empty() {
            self.paused.retain(|actor| !resumed.contains(actor) && !killed.contains(actor));
            self.ready.lock().expect("no holder panics").append(&mut self.parked);
        }
        for actor in killed {
            for task in &mut self.tasks {
                if task.as_ref().is_some_and(|task| task.owner == Some(actor)) {
                    *task = None;
                }
            }
        }
        for (owner, future) in spawned {
            self.spawn(Some(owner), future);
        }
    }

    /// Polls and arrivals so far.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Drops every task.
    pub(super) fn end(&mut self) {
        self.tasks.clear();
    }

    /// Names what a run that cannot go on waits for.
    pub(super) fn stuck(&self, kernel: &Kernel) -> WorldError {
        let owners = self.tasks.iter().flatten().map(|task| match task.owner {
            Some(actor) => actor.to_string(),
            None => "the scenario".to_owned(),
        });
        let mut blocked: Vec<_> = owners.collect();
        blocked.sort();
        blocked.dedup();
        WorldError::Stuck { at: kernel.now(), blocked: blocked.join(", ") }
    }
}
