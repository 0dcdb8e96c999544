//! Enums whose variants have a word each, for configuration, presets and `check`.

/// An enum that is written as a word.
pub(super) trait Word: Sized + Copy + PartialEq + 'static {
    /// Every variant with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The word of a variant.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(variant, _)| *variant == self).map_or("", |(_, word)| word)
    }

    /// The variant of a word.
    fn of(word: &str) -> Result<Self, String> {
        let known = Self::WORDS.iter().find(|(_, known)| *known == word).map(|(variant, _)| *variant);
        known.ok_or_else(|| {
            let words: Vec<&str> = Self::WORDS.iter().map(|(_, word)| *word).collect();
            format!("must be one of {}", words.join(", "))
        })
    }
}

/// Defines an enum with its words; the first variant is the default.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $(#[$first_doc:meta])* $first:ident = $first_word:literal,
      $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub enum $name {
            $(#[$first_doc])*
            #[default]
            $first,
            $($(#[$variant_doc])* $variant,)+
        }

        impl Word for $name {
            const WORDS: &'static [(Self, &'static str)] = &[(Self::$first, $first_word), $((Self::$variant, $word)),+];
        }
    };
}

pub(super) use words;

impl Word for bool {
    const WORDS: &'static [(Self, &'static str)] = &[(true, "yes"), (false, "no")];
}

impl Word for crate::model::MembersRead {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Group, "group"), (Self::UsersByGroup, "users_by_group"), (Self::None, "none")];
}

impl Word for crate::plan::Nesting {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::Flatten, "flatten"), (Self::Keep, "keep")];
}

impl Word for crate::plan::GroupRemoval {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::Delete, "delete"), (Self::Empty, "empty"), (Self::Keep, "keep")];
}
