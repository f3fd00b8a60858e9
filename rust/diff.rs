//! stub
pub struct Cause;
impl Cause { pub fn as_str(&self) -> &'static str { "text" } }
pub struct Mismatch { pub cause: Cause, pub path: Option<String>, pub offset: Option<usize>, pub left: String, pub right: String }
impl Mismatch { pub fn fix(&self) -> String { String::new() } }
impl std::fmt::Display for Mismatch { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "differs") } }
pub fn explain(_a: &[u8], _at: Option<&str>, _b: &[u8], _bt: Option<&str>) -> Mismatch { Mismatch { cause: Cause, path: None, offset: None, left: String::new(), right: String::new() } }
pub fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> { a.iter().zip(b).position(|(x, y)| x != y) }
