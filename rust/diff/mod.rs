mod first;
pub use first::first_difference;
