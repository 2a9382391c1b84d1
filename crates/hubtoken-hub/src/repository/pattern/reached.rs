//! Computes which positions in a text a pattern can reach.

use super::Step;

/// The positions in a text that a pattern may have reached.
pub(super) struct Reached {
    positions: Vec<bool>,
    /// The first and the last position, or `None` if there are none.
    span: Option<(usize, usize)>,
}

impl Reached {
    /// The positions that some steps reach from the start of a text.
    pub(super) fn by(steps: &[Step], text: &[u8]) -> Self {
        let mut positions = vec![false; text.len() + 1];
        positions[0] = true;
        let mut reached = Self {
            positions,
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
                    reached.positions[first..].fill(true);
                    Some((first, text.len()))
                }
                Step::Folders => {
                    let mut end = last;
                    for (at, byte) in text.iter().enumerate().skip(first) {
                        if *byte == b'/' {
                            reached.positions[at + 1] = true;
                            end = end.max(at + 1);
                        }
                    }
                    Some((first, end))
                }
            };
        }
        reached
    }

    pub(super) fn includes(&self, position: usize) -> bool {
        self.span.is_some() && self.positions[position]
    }

    /// Consumes one byte from each position.
    fn pass(
        &mut self,
        text: &[u8],
        first: usize,
        last: usize,
        fits: impl Fn(u8) -> bool,
    ) -> Option<(usize, usize)> {
        let mut span = None;
        for at in (first..=last).rev() {
            if std::mem::take(&mut self.positions[at])
                && let Some(byte) = text.get(at)
                && fits(*byte)
            {
                self.positions[at + 1] = true;
                span = Some((at + 1, span.map_or(at + 1, |(_, last)| last)));
            }
        }
        span
    }

    /// Consumes any number of bytes other than slashes from each position, and returns the last
    /// position reached.
    fn spread(&mut self, text: &[u8], first: usize, last: usize) -> usize {
        let mut end = last;
        for (at, byte) in text.iter().enumerate().skip(first) {
            if self.positions[at] && *byte != b'/' {
                self.positions[at + 1] = true;
                end = end.max(at + 1);
            } else if at > end {
                break;
            }
        }
        end
    }
}
