//! Where a pattern leads in a text.

use super::Step;

/// The places in a text to which a pattern may have come.
pub(super) struct Reached {
    places: Vec<bool>,
    /// Where the first is, and the last; nowhere if there is none.
    span: Option<(usize, usize)>,
}

impl Reached {
    /// The places to which some steps lead from the start of a text.
    pub(super) fn by(steps: &[Step], text: &[u8]) -> Self {
        let mut places = vec![false; text.len() + 1];
        places[0] = true;
        let mut reached = Self {
            places,
            span: Some((0, 0)),
        };
        for step in steps {
            let Some((first, last)) = reached.span else {
                break;
            };
            reached.span = match step {
                Step::Byte(wanted) => reached.pass(text, first, last, |byte| byte == *wanted),
                Step::OneOf(set) => reached.pass(text, first, last, |byte| set.has(byte)),
                Step::Within => Some((first, reached.spread(text, first, last))),
                Step::Across => {
                    reached.places[first..].fill(true);
                    Some((first, text.len()))
                }
                Step::Folders => {
                    let mut end = last;
                    for (at, byte) in text.iter().enumerate().skip(first) {
                        if *byte == b'/' {
                            reached.places[at + 1] = true;
                            end = end.max(at + 1);
                        }
                    }
                    Some((first, end))
                }
            };
        }
        reached
    }

    pub(super) fn includes(&self, place: usize) -> bool {
        self.span.is_some() && self.places[place]
    }

    /// Takes one byte from each place.
    fn pass(
        &mut self,
        text: &[u8],
        first: usize,
        last: usize,
        fits: impl Fn(u8) -> bool,
    ) -> Option<(usize, usize)> {
        let mut span = None;
        for at in (first..=last).rev() {
            if std::mem::take(&mut self.places[at])
                && let Some(byte) = text.get(at)
                && fits(*byte)
            {
                self.places[at + 1] = true;
                span = Some((at + 1, span.map_or(at + 1, |(_, last)| last)));
            }
        }
        span
    }

    /// Takes any number of bytes that are no slash from each place, and says how far that leads.
    fn spread(&mut self, text: &[u8], first: usize, last: usize) -> usize {
        let mut end = last;
        for (at, byte) in text.iter().enumerate().skip(first) {
            if self.places[at] && *byte != b'/' {
                self.places[at + 1] = true;
                end = end.max(at + 1);
            } else if at > end {
                break;
            }
        }
        end
    }
}
