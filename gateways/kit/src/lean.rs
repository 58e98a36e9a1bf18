//! Lists that are kept for long, are short and come in thousands: one for each user or room.
//!
//! `Vec::push` makes room for four at first and then doubles, so a list of one large item keeps
//! air for three more.

/// Adds an item; a full list grows by one and an eighth of its length.
pub fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(1 + list.len() / 8);
    }
    list.push(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_list_has_no_air_and_a_long_one_little() {
        let mut list = Vec::new();
        push(&mut list, [0u64; 8]);
        assert_eq!(list.capacity(), 1);
        let mut moves = 0;
        for _ in 0..10_000 {
            let before = list.capacity();
            push(&mut list, [0; 8]);
            moves += usize::from(list.capacity() != before);
        }
        assert!(list.capacity() - list.len() <= 1 + list.len() / 8);
        assert!(moves < 100, "{moves} moves");
    }
}
