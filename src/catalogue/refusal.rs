//! What a refusal of the server says to a person, by its code. On the wire it has one text in one
//! language, the seed's where that has one.

texts! {
    bad_request { en: "the request is empty", seed: "**Protocol Tidak Benar" }
    unknown_command { en: "the server does not know this command", seed: "**Protocol Tidak Benar" }
    usage { en: "the request lacks a field", seed: "--Protocol Tidak Benar" }
    line_too_long {
        en: "the line is longer than 262144 bytes",
        id: "barisnya lebih panjang dari 262144 byte",
    }
    bad_line { en: "the line has a NUL or a CR inside", id: "ada NUL atau CR di dalam barisnya" }
    bad_encoding { en: "the line is not UTF-8", id: "barisnya bukan UTF-8" }
    wrong_protocol {
        en: "this is a line protocol, neither TLS nor HTTP; type help",
        id: "ini protokol baris, bukan TLS dan bukan HTTP; ketik help",
    }
    bad_argument {
        en: "the JSON argument is not understood",
        id: "argumen JSON-nya tidak dipahami",
    }
    bad_query { en: "the query is not understood", id: "kueri itu tidak dipahami" }
    no_session { en: "there is no such session", seed: "Session Tidak Ditemukan" }
    unknown_user { en: "there is no such user", seed: "User Tidak Ada" }
    wrong_password { en: "the password is wrong", seed: "Password Salah" }
    rate_limited { en: "too many failed logins", id: "terlalu banyak login yang gagal" }
    rate_limited_for(seconds) {
        en: "too many failed logins: try again in {seconds} s",
        id: "terlalu banyak login yang gagal: coba lagi dalam {seconds} detik",
    }
    too_many_sessions {
        en: "the user has 64 sessions, each with an open stream",
        id: "user itu punya 64 sesi, masing-masing dengan stream terbuka",
    }
    unknown_recipient { en: "there is no such user", seed: "User Tidak Ditemukan" }
    users_hidden {
        en: "this server does not list its users",
        id: "server ini tidak menampilkan daftar penggunanya",
    }
    empty_message { en: "the message is empty", id: "pesannya kosong" }
    too_long { en: "the text is too long", id: "teksnya terlalu panjang" }
    key_conflict {
        en: "the key was used before for another message",
        id: "key itu sudah dipakai untuk pesan lain",
    }
    inbox_full {
        en: "the inbox of the recipient is full",
        id: "inbox penerimanya penuh",
    }
    unknown_message {
        en: "there is no message with that id",
        id: "tidak ada pesan dengan id itu",
    }
    no_such_message {
        en: "you have no message with that id",
        id: "kamu tidak punya pesan dengan id itu",
    }
    receipts_off {
        en: "your receipts are off, so you see those of nobody",
        id: "tanda terimamu mati, jadi kamu tidak melihat tanda terima siapa pun",
    }
    not_yours {
        en: "only the sender of the message may do this",
        id: "hanya pengirim pesan itu yang boleh melakukannya",
    }
    unknown_room { en: "there is no such room", id: "tidak ada ruang itu" }
    room_exists {
        en: "the name of the room is taken",
        id: "nama ruang itu sudah dipakai",
    }
    not_allowed {
        en: "your role in the room does not allow this",
        id: "peranmu di ruang itu tidak mengizinkan ini",
    }
    not_allowed_to_user {
        en: "you may not send to this user",
        id: "kamu tidak boleh mengirim ke user itu",
    }
    not_in_the_room {
        en: "you are not in the room: join it first",
        id: "kamu tidak ada di ruang itu: bergabunglah dulu",
    }
    only_its_author_edits {
        en: "only its author can edit a message, while they may post there",
        id: "hanya penulisnya yang dapat mengubah pesan, selama ia boleh menulis di sana",
    }
    only_those_delete {
        en: "only its author and the moderators of its room can delete a message",
        id: "hanya penulisnya dan pengelola ruangnya yang dapat menghapus pesan",
    }
    last_owner {
        en: "you are the last owner of the room: name another one",
        id: "kamu pemilik terakhir ruang itu: sebutkan pemilik lain",
    }
    room_archived { en: "the room is archived", id: "ruang itu sudah diarsipkan" }
    room_of_everybody {
        en: "everybody is in this room: nobody leaves or closes it",
        id: "semua orang ada di ruang ini: tidak ada yang keluar atau menutupnya",
    }
    too_many_rooms { en: "there are too many rooms", id: "ruangnya terlalu banyak" }
    you_have_too_many_rooms {
        en: "you are in too many rooms: leave one first",
        id: "kamu ada di terlalu banyak ruang: tinggalkan salah satunya dulu",
    }
    you_had_too_many_memberships {
        en: "you have joined rooms too often, and can join no more",
        id: "kamu sudah terlalu sering masuk ruang, dan tidak bisa masuk lagi",
    }
    unknown_scheduled {
        en: "there is no such scheduled message",
        id: "pesan terjadwal itu tidak ada",
    }
    unknown_expectation {
        en: "there is no such expectation",
        id: "tidak ada harapan laporan seperti itu",
    }
    token_rights {
        en: "the access token does not allow this",
        id: "token akses itu tidak mengizinkannya",
    }
    token_exists {
        en: "you have an access token of this name already",
        id: "kamu sudah punya token akses dengan nama ini",
    }
    too_many_tokens {
        en: "you have 100 access tokens: revoke one first",
        id: "kamu punya 100 token akses: cabut salah satunya dulu",
    }
    unknown_invitation {
        en: "there is no such invitation, or it has expired",
        id: "undangan itu tidak ada, atau sudah kedaluwarsa",
    }
    invitation_used { en: "the invitation was used", id: "undangan itu sudah dipakai" }
    name_taken { en: "the name is taken", id: "nama itu sudah dipakai" }
    busy {
        en: "the server is busy, nothing was done, try again",
        id: "server sedang sibuk, tidak ada yang dilakukan, coba lagi",
    }
    storage_full {
        en: "the disk of the server is full, nothing was done",
        id: "disk server penuh, tidak ada yang dilakukan",
    }
    too_many_connections {
        en: "there are too many connections, try again later",
        id: "terlalu banyak koneksi, coba lagi nanti",
    }
    shutting_down {
        en: "the server is stopping, nothing was done",
        id: "server sedang berhenti, tidak ada yang dilakukan",
    }
    internal {
        en: "the server failed, the outcome is not known",
        id: "server gagal, hasilnya belum pasti",
    }

    unknown_code(code, message) {
        en: "refused as {code}: {message}",
        id: "ditolak sebagai {code}: {message}",
    }

    // What this client refuses itself, in the same voice
    text_not_utf8 { en: "the text is not UTF-8", id: "teksnya bukan UTF-8" }
    message_too_long(max) {
        en: "the message is longer than {max} bytes",
        id: "pesannya lebih panjang dari {max} byte",
    }
}
