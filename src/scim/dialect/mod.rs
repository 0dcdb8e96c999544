//! How one provider differs from the RFC, as data. A new provider is one file in `presets/`.

mod knobs;
mod presets;
mod rows;

pub use knobs::{Booleans, ContentType, Dialect, FilterUse, Knobs, ManagerForm, MemberRemove, OpCase, Unset};
pub use presets::{preset, preset_names};
pub use rows::DialectRow;
