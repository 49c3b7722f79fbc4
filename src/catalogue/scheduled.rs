//! Messages that are sent later or expire: what `chat-cli send --at` and `scheduled` print, and the
//! marks of such messages.

texts! {
    scheduled_for(id, to, due_at) {
        en: "scheduled as {id} to {to} for {due_at}",
        id: "dijadwalkan sebagai {id} ke {to} pada {due_at}",
    }
    scheduled_before(id, to, due_at) {
        en: "already scheduled as {id} to {to} for {due_at}",
        id: "sudah dijadwalkan sebagai {id} ke {to} pada {due_at}",
    }
    scheduled_cancelled(id) {
        en: "scheduled message {id} is cancelled",
        id: "pesan terjadwal {id} dibatalkan",
    }
    nothing_is_scheduled { en: "nothing is scheduled", id: "tidak ada yang terjadwal" }
    came_late(due_at) { en: "(late, due {due_at})", id: "(terlambat, untuk {due_at})" }
    expired_mark { en: "(expired)", id: "(kedaluwarsa)" }
    expires_mark(at) { en: "(until {at})", id: "(sampai {at})" }
    give_time(text) {
        en: "{text} is no time: give 17:00, 2026-12-01T09:00, or RFC 3339 with an offset",
        id: "{text} bukan waktu: isi 17:00, 2026-12-01T09:00, atau RFC 3339 dengan offset",
    }
    give_scheduled {
        en: "give the number of a scheduled message: `scheduled` shows them",
        id: "tulis nomor pesan terjadwal: `scheduled` menampilkannya",
    }
    give_time_or_pause(text) {
        en: "{text} is no time: give 17:00, 2026-12-01T09:00, or 2h for two hours from now",
        id: "{text} bukan waktu: isi 17:00, 2026-12-01T09:00, atau 2h untuk dua jam dari sekarang",
    }
    give_pause {
        en: "give whole seconds, at least 1s and at most 3660d",
        id: "isi detik bulat, paling sedikit 1s dan paling banyak 3660d",
    }
    time_is_too_far(text, days) {
        en: "{text} is more than {days} days from now",
        id: "{text} masih lebih dari {days} hari lagi",
    }
    time_has_passed(text) { en: "{text} has passed", id: "{text} sudah lewat" }
    time_is_skipped(text) {
        en: "{text} does not exist in this time zone: the clock is set forward then",
        id: "{text} tidak ada di zona waktu ini: jam dimajukan saat itu",
    }
    time_comes_twice(text, first, second) {
        en: "{text} comes twice, because the clock is set back: give {first} or {second}",
        id: "{text} terjadi dua kali, karena jam dimundurkan: isi {first} atau {second}",
    }
}
