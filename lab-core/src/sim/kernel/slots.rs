//! Things under way, by number.

/// The number of something under way: a place, and how often that place was used before. A late answer to a call
/// that was given up finds nobody, even if its place is taken again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sim) struct Number {
    place: u32,
    life: u32,
}

/// Things under way. Places are used again.
pub(super) struct Slots<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    pub(super) fn put(&mut self, item: T) -> Number {
        if let Some(place) = self.free.pop() {
            let (life, slot) = &mut self.slots[place as usize];
            *slot = Some(item);
            return Number { place, life: *life };
        }
        let place = u32::try_from(self.slots.len()).expect("fewer than 2^32 things are under way at once");
        self.slots.push((0, Some(item)));
        Number { place, life: 0 }
    }

    pub(super) fn take(&mut self, number: Number) -> Option<T> {
        let (life, slot) = &mut self.slots[number.place as usize];
        if *life != number.life {
            return None;
        }
        let item = slot.take();
        if item.is_some() {
            *life += 1;
            self.free.push(number.place);
        }
        item
    }

    pub(super) fn get(&self, number: Number) -> Option<&T> {
        let (life, slot) = &self.slots[number.place as usize];
        slot.as_ref().filter(|_| *life == number.life)
    }

    pub(super) fn get_mut(&mut self, number: Number) -> Option<&mut T> {
        let (life, slot) = &mut self.slots[number.place as usize];
        slot.as_mut().filter(|_| *life == number.life)
    }

    /// The numbers of those that `wanted` picks.
    pub(super) fn numbers(&self, wanted: impl Fn(&T) -> bool) -> Vec<Number> {
        let slots = (0u32..).zip(&self.slots);
        let picked = slots.filter(|(_, (_, slot))| slot.as_ref().is_some_and(&wanted));
        picked.map(|(place, (life, _))| Number { place, life: *life }).collect()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|(_, slot)| slot.as_mut())
    }
}
