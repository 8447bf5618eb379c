use serde_json::Value;

use crate::plan::StoredPlan;
use crate::view::View;
use crate::{Error, ErrorKind, Partial, Place, State, Status};

/// The result of a run, of all its shards.
#[derive(Debug)]
#[non_exhaustive]
pub struct Merged<P> {
    /// Of all units that are done.
    pub partial: P,
    /// How the run stands: the units that failed or are blocked are not in the result.
    pub status: Status,
    /// What [`Plan::about`](crate::Plan::about) said.
    pub about: Value,
}

/// What [`Plan::about`](crate::Plan::about) said of a run.
///
/// # Errors
///
/// When there is no run.
pub fn about(place: impl Into<Place>) -> Result<Value, Error> {
    Ok(StoredPlan::of(&place.into())?.about)
}

/// Merges what the units gave, in the order of the plan, whatever shard and whichever run gave it.
///
/// # Errors
///
/// A shard that has not begun or not come to its end ([`ErrorKind::Missing`]); one that is there twice, or belongs to
/// another run or number of shards, or holds damaged results ([`ErrorKind::Data`]). The error names it.
pub fn merge<P: Partial>(place: impl Into<Place>) -> Result<Merged<P>, Error> {
    let view = View::of(&place.into())?;
    let place = view.folder.display();
    let missing = view.missing();
    if !missing.is_empty() {
        let list: Vec<_> = missing.iter().map(u32::to_string).collect();
        let what = format!("missing of {} shards: {}", view.shards.max(1), list.join(", "));
        return Err(Error::new(ErrorKind::Missing, place, what));
    }
    let mut partial = P::default();
    for (k, unit) in view.plan.units.iter().enumerate() {
        let (Some(part), standing) = (view.part(k), view.standing(k)) else { continue };
        if let Some(what) = standing.gone {
            return Err(Error::data(unit, format!("{what}; run {} again", part.shard)));
        }
        if standing.state == State::NotStarted {
            let what = format!("{} has not come to its end: {unit} is not done", part.shard);
            return Err(Error::new(ErrorKind::Missing, place, what));
        }
        let slice = standing.record.filter(|record| record.state.is_settled()).and_then(|r| r.partial);
        if let Some(slice) = slice {
            let bytes = part.partials.read(&slice)?;
            let mut rest = bytes.as_slice();
            let one = P::read(&mut rest).map_err(|e| Error::data(unit, e))?;
            if !rest.is_empty() {
                return Err(Error::data(unit, format!("{} bytes too many in its result", rest.len())));
            }
            partial.merge(one);
        }
    }
    Ok(Merged { partial, status: Status::of(&view), about: view.plan.about })
}
