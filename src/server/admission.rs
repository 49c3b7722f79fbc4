//! Who may connect: so many in all, so many from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::adjustable::Adjustable;

/// Counts the connections there are.
#[derive(Clone)]
pub(super) struct Admission {
    counts: Arc<Mutex<Counts>>,
    max: Adjustable<usize>,
    per_address_max: Adjustable<usize>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    /// Of the addresses that are limited, those that have any.
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's place in the count, given back when it is dropped.
pub(super) struct Permit {
    counts: Arc<Mutex<Counts>>,
    /// `None` where the address is not limited.
    address: Option<IpAddr>,
}

impl Admission {
    pub(super) fn new(max: Adjustable<usize>, per_address_max: Adjustable<usize>) -> Self {
        Self { counts: Arc::default(), max, per_address_max }
    }

    /// A place for a connection from `address`, if there is one. This machine itself is only
    /// limited by the number of all.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Permit> {
        let address = (!address.to_canonical().is_loopback()).then_some(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all >= self.max.get() {
            return None;
        }
        if let Some(address) = address {
            let count = counts.by_address.entry(address).or_default();
            if *count >= self.per_address_max.get() {
                return None;
            }
            *count += 1;
        }
        counts.all += 1;
        Some(Permit { counts: Arc::clone(&self.counts), address })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        let Some(address) = self.address else { return };
        if let Some(count) = counts.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_in_all_and_by_address_and_given_back() {
        let admission = Admission::new(3.into(), 2.into());
        let (far, farther) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let first = admission.admit(far).unwrap();
        let _second = admission.admit(far).unwrap();
        assert!(admission.admit(far).is_none());
        let third = admission.admit(farther).unwrap();
        assert!(admission.admit(farther).is_none());
        drop(third);
        drop(first);
        assert!(admission.admit(far).is_some());
        drop(_second);
        assert!(admission.counts.lock().unwrap().by_address.is_empty());
    }

    #[test]
    fn this_machine_is_limited_by_the_number_of_all_only() {
        let admission = Admission::new(3.into(), 1.into());
        let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        let local = [IpAddr::from([127, 0, 0, 1]), "::1".parse().unwrap(), mapped];
        let permits: Vec<_> = local.iter().map(|&address| admission.admit(address)).collect();
        assert!(permits.iter().all(Option::is_some));
        assert!(admission.admit(local[0]).is_none());
    }
}
