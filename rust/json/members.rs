//! The members of a JSON object at its top level, found without a DOM: what an answer says of itself (`model`, `usage`) is a few bytes of
//! many.

use super::{Event, Reader, string};
use crate::error::Error;

/// The source texts of the members called `names` of the object that `body` is, each where its name stands in `names`; nothing for a
/// document that is no object. Of a name that repeats, the last counts, as in Python's `json`.
///
/// # Errors
/// Where the body is no JSON, as [`Reader`] says.
pub fn members<'a>(body: &'a [u8], names: &[&str]) -> Result<Option<Vec<Option<&'a [u8]>>>, Error> {
    let mut reader = Reader::new(body)?;
    let mut found = vec![None; names.len()];
    let Some(first) = reader.next()? else { return Ok(None) };
    let is_object = first.event == Event::ObjectStart;
    let mut wanted = None;
    let mut start = 0;
    while let Some(token) = reader.next()? {
        match token.event {
            Event::Key(_) if reader.depth() == 1 => {
                let key = string::decode(token.raw(body));
                wanted = names.iter().position(|name| name.as_bytes() == &*key);
            }
            // The value of a member begins one level deeper, if it is an object or an array.
            Event::ObjectStart | Event::ArrayStart if reader.depth() == 2 => start = token.start,
            Event::Number => _ = reader.skip_numbers(),
            _ => {}
        }
        if reader.depth() == 1
            && let Some(name) = wanted
            && !matches!(token.event, Event::Key(_))
        {
            let from = if matches!(token.event, Event::ObjectEnd | Event::ArrayEnd) { start } else { token.start };
            found[name] = body.get(from..token.end);
            wanted = None;
        }
    }
    Ok(is_object.then_some(found))
}
