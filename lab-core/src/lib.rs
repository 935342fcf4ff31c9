//! The core of the lab: see `ARCHITECTURE.md` for the map.
