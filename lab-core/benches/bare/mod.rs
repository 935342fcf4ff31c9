//! A bare executor: timers on a heap, boxed futures, `std` wakers, and nothing else.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

#[derive(Default)]
struct Agenda {
    now: u64,
    order: u64,
    heap: BinaryHeap<Reverse<(u64, u64, usize)>>,
    wakers: Vec<Option<Waker>>,
}

struct Sleep {
    agenda: Rc<RefCell<Agenda>>,
    time: u64,
    deadline: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let agenda = Rc::clone(&self.agenda);
        let mut agenda = agenda.borrow_mut();
        if let Some(deadline) = self.deadline {
            return if agenda.now >= deadline { Poll::Ready(()) } else { Poll::Pending };
        }
        let deadline = agenda.now + self.time;
        agenda.order += 1;
        let (order, slot) = (agenda.order, agenda.wakers.len());
        agenda.wakers.push(Some(cx.waker().clone()));
        agenda.heap.push(Reverse((deadline, order, slot)));
        self.deadline = Some(deadline);
        Poll::Pending
    }
}

struct TaskWaker {
    task: usize,
    ready: Arc<Mutex<Vec<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().expect("no holder panics").push(self.task);
    }
}

/// Runs so many tasks that sleep so many times each, and says how many steps that took: polls and timers.
pub(crate) fn run(tasks: usize, sleeps: u64) -> u64 {
    let agenda = Rc::new(RefCell::new(Agenda::default()));
    let ready: Arc<Mutex<Vec<usize>>> = Arc::new(Mutex::new((0..tasks).collect()));
    let sleeper = |task: usize| -> Pin<Box<dyn Future<Output = ()>>> {
        let agenda = Rc::clone(&agenda);
        Box::pin(async move {
            for turn in 0..sleeps {
                let time = 1 + (task as u64).wrapping_mul(0x9E37_79B9).wrapping_add(turn * 7919) % 1000;
                Sleep { agenda: Rc::clone(&agenda), time, deadline: None }.await;
            }
        })
    };
    let mut futures: Vec<_> = (0..tasks).map(|task| Some(sleeper(task))).collect();
    let wakers: Vec<_> =
        (0..tasks).map(|task| Waker::from(Arc::new(TaskWaker { task, ready: Arc::clone(&ready) }))).collect();
    let mut steps = 0;
    loop {
        steps += 1;
        let next = ready.lock().expect("no holder panics").pop();
        if let Some(task) = next {
            let done = futures[task].as_mut().is_some_and(|future| {
                future.as_mut().poll(&mut Context::from_waker(&wakers[task])).is_ready()
            });
            if done {
                futures[task] = None;
            }
            continue;
        }
        let mut agenda = agenda.borrow_mut();
        let Some(Reverse((at, _, slot))) = agenda.heap.pop() else {
            return steps;
        };
        agenda.now = at;
        let waker = agenda.wakers[slot].take();
        drop(agenda);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
