//! The limits of Active Directory that other servers do not have: MaxPageSize and MaxValRange (MS-ADTS §3.1.1.3.4.6).

use ldap3::asn1::{PL, StructureTag};

use super::message::{Message, Page, octets, parts, parts_mut, primitive, sequence, text};

/// What the proxy enforces.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Entries of a page at most, and of a search without pages (result 4 then).
    pub page: Option<u32>,
    /// Values of an attribute in an answer at most; the rest is got by ranges.
    pub values: Option<usize>,
}

/// A range of an attribute that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    pub attribute: String,
    pub first: usize,
}

impl Limits {
    /// Cuts the page that a search asks for.
    pub fn cut_page(&self, request: &mut Message) {
        let (Some(most), Some(page)) = (self.page, request.page()) else { return };
        request.set_page(&Page { size: page.size.min(most), ..page });
    }

    /// Takes the option out of an attribute that is asked for as `member;range=2-*`: the server knows no ranges.
    pub fn take_range(&self, request: &mut Message) -> Option<Range> {
        self.values?;
        let attributes = parts_mut(&mut request.operation).last_mut()?;
        for attribute in parts_mut(attributes) {
            let written = text(attribute);
            let Some((name, range)) = written.split_once(";range=") else { continue };
            let first = range.split('-').next()?.parse().ok()?;
            attribute.payload = PL::P(name.as_bytes().to_vec());
            return Some(Range { attribute: name.to_owned(), first });
        }
        None
    }

    /// Cuts the values of an entry: what is left over, or was asked for as a range, goes under `member;range=0-1`, beside the
    /// attribute without values. The root DSE is told whole.
    pub fn cut_values(&self, entry: &mut Message, range: Option<&Range>) {
        let Some(most) = self.values.filter(|_| !primitive(&parts(&entry.operation)[0]).is_empty()) else { return };
        let attributes = &mut parts_mut(&mut entry.operation)[1];
        let mut cut = Vec::new();
        for attribute in parts(attributes) {
            let (name, values) = (text(&parts(attribute)[0]), parts(&parts(attribute)[1]).to_vec());
            let asked = range.filter(|range| range.attribute.eq_ignore_ascii_case(&name));
            if asked.is_none() && values.len() <= most {
                cut.push(attribute.clone());
                continue;
            }
            let first = asked.map_or(0, |range| range.first);
            let some: Vec<StructureTag> = values.iter().skip(first).take(most).cloned().collect();
            let last = if first + most < values.len() { (first + most - 1).to_string() } else { "*".to_owned() };
            if asked.is_none() {
                cut.push(sequence(vec![octets(&name), set(Vec::new())]));
            }
            cut.push(sequence(vec![octets(format!("{name};range={first}-{last}")), set(some)]));
        }
        *parts_mut(attributes) = cut;
    }

    /// True if a search without pages has got all the entries that it gets.
    pub fn is_reached(&self, request: &mut Message, entries: usize) -> bool {
        let is_base = primitive(&parts(&request.operation)[1]) == [0];
        !is_base && request.page().is_none() && self.page.is_some_and(|most| entries >= most as usize)
    }
}

fn set(values: Vec<StructureTag>) -> StructureTag {
    StructureTag { id: 17, ..sequence(values) }
}
