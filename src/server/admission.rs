//! Limits the number of connections, in total and per address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::adjustable::Adjustable;

/// Counts open connections.
#[derive(Clone)]
pub struct Admission {
    counts: Arc<Mutex<Counts>>,
    max: Adjustable<usize>,
    per_address_max: Adjustable<usize>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    /// Counts per limited address. It has no zeros.
    by_address: HashMap<IpAddr, usize>,
}

/// Which connections must end before another one is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Any.
    InAll,
    /// One of the same address.
    OfAddress,
}

/// A counted connection. Dropping it uncounts the connection.
pub struct Permit {
    counts: Arc<Mutex<Counts>>,
    per_address_max: Adjustable<usize>,
    /// `None` where the address is not limited.
    address: Option<IpAddr>,
}

impl Admission {
    /// Counts from zero, up to these limits.
    pub fn new(max: Adjustable<usize>, per_address_max: Adjustable<usize>) -> Self {
        Self { counts: Arc::default(), max, per_address_max }
    }

    /// Counts a connection from `address`, if the limits allow it. Without an address only the
    /// total limit applies.
    pub fn admit(&self, address: Option<IpAddr>) -> Option<Permit> {
        self.try_admit(address).ok()
    }

    /// [`Self::admit`], with the limit that does not allow it.
    ///
    /// # Errors
    /// The limit of the address comes first: an address at its own limit is no reason to end the
    /// connections of others.
    pub fn try_admit(&self, address: Option<IpAddr>) -> Result<Permit, Full> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = |address| counts.by_address.get(&address).copied().unwrap_or_default();
        if address.is_some_and(|address| of_address(address) >= self.per_address_max.get()) {
            return Err(Full::OfAddress);
        }
        if counts.all >= self.max.get() {
            return Err(Full::InAll);
        }
        if let Some(address) = address {
            *counts.by_address.entry(address).or_default() += 1;
        }
        counts.all += 1;
        let per_address_max = self.per_address_max.clone();
        Ok(Permit { counts: Arc::clone(&self.counts), per_address_max, address })
    }
}

impl Permit {
    /// Counts the connection, which came without an address, for this one; `false` where that has
    /// as many as it may have.
    pub(super) fn count_for(&mut self, address: IpAddr) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_admitted = counts.add(address, self.per_address_max.get());
        if is_admitted {
            self.address = Some(address);
        }
        is_admitted
    }
}

impl Counts {
    fn add(&mut self, address: IpAddr, max: usize) -> bool {
        let count = self.by_address.entry(address).or_default();
        let is_admitted = *count < max;
        *count += usize::from(is_admitted);
        if *count == 0 {
            self.by_address.remove(&address);
        }
        is_admitted
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
        let first = admission.admit(Some(far)).unwrap();
        let _second = admission.admit(Some(far)).unwrap();
        assert!(admission.admit(Some(far)).is_none());
        let third = admission.admit(Some(farther)).unwrap();
        assert!(admission.admit(Some(farther)).is_none());
        drop(third);
        drop(first);
        assert!(admission.admit(Some(far)).is_some());
        drop(_second);
        assert!(admission.counts.lock().unwrap().by_address.is_empty());
    }

    #[test]
    fn address_at_its_own_limit_is_told_so_even_if_all_places_are_taken() {
        let admission = Admission::new(2.into(), 1.into());
        let (far, farther) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let _one = admission.admit(Some(far)).unwrap();
        assert_eq!(admission.try_admit(Some(far)).err(), Some(Full::OfAddress));
        let _two = admission.admit(None).unwrap();
        assert_eq!(admission.try_admit(Some(far)).err(), Some(Full::OfAddress));
        assert_eq!(admission.try_admit(Some(farther)).err(), Some(Full::InAll));
        assert_eq!(admission.try_admit(None).err(), Some(Full::InAll));
    }

    #[test]
    fn connection_by_a_proxy_counts_for_its_client() {
        let admission = Admission::new(4.into(), 1.into());
        let client = IpAddr::from([192, 0, 2, 1]);
        let mut permits: Vec<_> = (0..3).map(|_| admission.admit(None).unwrap()).collect();
        assert!(permits[0].count_for(client));
        assert!(!permits[1].count_for(client));
        assert!(admission.admit(Some(client)).is_none());
        permits.remove(0);
        assert!(permits[0].count_for(client));
        drop(permits);
        assert!(admission.counts.lock().unwrap().by_address.is_empty());
    }

    #[test]
    fn this_machine_is_limited_by_the_number_of_all_only() {
        let admission = Admission::new(3.into(), 1.into());
        let permits: Vec<_> = (0..3).map(|_| admission.admit(None)).collect();
        assert!(permits.iter().all(Option::is_some));
        assert!(admission.admit(None).is_none());
    }
}
