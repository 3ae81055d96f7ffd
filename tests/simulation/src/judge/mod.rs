//! Judges.
use crate::world::World;
impl World {
    pub(crate) fn judge(&mut self) {}
}
