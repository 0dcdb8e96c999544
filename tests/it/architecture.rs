//! Who may name whom; file heads; banned names.
