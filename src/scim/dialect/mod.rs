//! How one provider differs from the RFC, as data. A new provider is one file in `presets/`.

mod knobs;
mod layers;
mod presets;
mod table;
mod word;

pub use knobs::{
    Booleans, ContentType, Discovery, FilterUse, Knobs, ManagerForm, MemberRemove, OpCase, Pagination, PatchForm, PutMode, Unset,
    UpdateBy,
};
pub use layers::{Dialect, DialectRow, KnobError, SaidBy};
pub use presets::{preset, preset_names};
pub use table::{KNOBS, Knob, knob};
