//! Notifications: what `chat-cli watch --notify` shows beside the messages themselves.

texts! {
    no_way_to_notify {
        en: "no notifications: there is neither notify-send with a desktop, nor a terminal",
        id: "tanpa notifikasi: tidak ada notify-send dengan desktop, dan tidak ada terminal",
    }
    new_messages(count) { en: "{count} new messages", id: "{count} pesan baru" }
    from_senders(senders) { en: "from {senders}", id: "dari {senders}" }
    notify_send_failed(problem) {
        en: "notify-send failed: {problem}",
        id: "notify-send gagal: {problem}",
    }
    notify_send_ended(code, output) { en: "code {code}: {output}", id: "kode {code}: {output}" }
    notify_send_hung(seconds) {
        en: "it did not end within {seconds} s",
        id: "tidak selesai dalam {seconds} dtk",
    }
    question_is_closed(id, answer) {
        en: "question {id} is no longer open, so {answer} was not sent",
        id: "pertanyaan {id} sudah tidak terbuka, jadi {answer} tidak dikirim",
    }
    question_is_for_others(id, answer) {
        en: "question {id} is for other users of the room, so {answer} was not sent",
        id: "pertanyaan {id} untuk user lain di ruang itu, jadi {answer} tidak dikirim",
    }
    notify_answer_not_sent(answer, id, failure) {
        en: "the answer {answer} to question {id} was not sent: {failure}",
        id: "jawaban {answer} untuk pertanyaan {id} tidak terkirim: {failure}",
    }
}
