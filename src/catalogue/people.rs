//! What users let each other know.

texts! {
    receipts_are_on {
        en: "receipts are on: others see what you have read, and you see what they have read",
        id: "tanda terima menyala: yang lain melihat apa yang sudah kamu baca, dan kamu melihat yang mereka baca",
    }
    receipts_are_off {
        en: "receipts are off: nobody sees what you have read, and you see it of nobody",
        id: "tanda terima mati: tidak ada yang melihat apa yang sudah kamu baca, dan kamu tidak melihat punya siapa pun",
    }
    turn_receipts_on {
        en: "`chat-cli receipts on` turns them on",
        id: "`chat-cli receipts on` menyalakannya",
    }
    give_receipts {
        en: "give the id of a message, `on` or `off`",
        id: "tulis id pesan, `on`, atau `off`",
    }
    read_by(names, count, recipients) {
        en: "read by {names} ({count} of {recipients})",
        id: "dibaca oleh {names} ({count} dari {recipients})",
    }
    read_by_nobody(recipients) {
        en: "read by nobody (0 of {recipients})",
        id: "belum dibaca siapa pun (0 dari {recipients})",
    }
    has_read_it(name) { en: "{name} has read it", id: "{name} sudah membacanya" }
    somebody_has_read_it(room) {
        en: "somebody in {room} has read it",
        id: "sudah ada yang membacanya di {room}",
    }
    give_status(reason, bytes) {
        en: "give a status of at most {bytes} bytes without control characters: {reason}",
        id: "tulis status paling panjang {bytes} byte tanpa karakter kontrol: {reason}",
    }
    no_status { en: "no status", id: "tidak ada status" }
    status_is(status) { en: "status: {status}", id: "statusmu: {status}" }
    invisible_without_status {
        en: "invisible: nobody sees that you are connected",
        id: "tak terlihat: tidak ada yang melihat kamu tersambung",
    }
    invisible_with_status(status) {
        en: "invisible: nobody sees that you are connected; status: {status}",
        id: "tak terlihat: tidak ada yang melihat kamu tersambung; statusmu: {status}",
    }
    blocked_now(user) {
        en: "{user} is blocked: you get no messages from them, and see none in rooms",
        id: "{user} diblokir: kamu tidak menerima pesannya, dan tidak melihatnya di ruang",
    }
    blocked_before(user) {
        en: "{user} is blocked already",
        id: "{user} sudah diblokir",
    }
    unblocked_now(user) {
        en: "{user} is no longer blocked",
        id: "{user} tidak diblokir lagi",
    }
    unblocked_before(user) {
        en: "{user} is not blocked",
        id: "{user} tidak diblokir",
    }
    nobody_is_blocked { en: "you block nobody", id: "kamu tidak memblokir siapa pun" }
    sent_then(failure) {
        en: "the message was sent, then: {failure}",
        id: "pesannya terkirim, lalu: {failure}",
    }
    receipts_of(id) {
        en: "`chat-cli receipts {id}` says who has read it",
        id: "`chat-cli receipts {id}` menyebut siapa yang sudah membacanya",
    }
}
