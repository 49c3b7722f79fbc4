//! What the page in the browser says (`web/`). The page gets these texts and those of the refusals
//! as a module of JavaScript, and fills in the values itself.

texts! {
    page_log_in { en: "Log in", id: "Masuk" }
    page_user { en: "User", id: "Nama pengguna" }
    page_password { en: "Password", id: "Kata sandi" }
    page_invited {
        en: "You are invited. Choose a name and a password.",
        id: "Anda diundang. Pilih nama dan kata sandi.",
    }
    page_invited_rooms(rooms) { en: "You will be in {rooms}.", id: "Anda akan ada di {rooms}." }
    page_name_form { en: "a to z, 0 to 9, _ and -", id: "a sampai z, 0 sampai 9, _ dan -" }
    page_password_again { en: "The password again", id: "Kata sandinya sekali lagi" }
    page_passwords_differ {
        en: "The passwords are not the same.",
        id: "Kedua kata sandi itu tidak sama.",
    }
    page_join_used {
        en: "If it was you, log in with the name and the password that you chose.",
        id: "Kalau itu Anda, masuk dengan nama dan kata sandi yang Anda pilih.",
    }
    page_unreachable {
        en: "The server cannot be reached. Check the network, and try again.",
        id: "Server tidak dapat dihubungi. Periksa jaringannya, lalu coba lagi.",
    }
    page_offline {
        en: "No connection. What you write is sent when it is back.",
        id: "Tidak terhubung. Yang Anda tulis dikirim setelah terhubung lagi.",
    }
    page_session_ended {
        en: "The session has ended. Log in again; nothing that you wrote is lost.",
        id: "Sesinya sudah berakhir. Masuk lagi; tulisan Anda tidak ada yang hilang.",
    }
    page_today { en: "Today", id: "Hari ini" }
    page_yesterday { en: "Yesterday", id: "Kemarin" }
    page_conversations { en: "Conversations", id: "Percakapan" }
    page_find_conversation { en: "Find a person or a room", id: "Cari orang atau ruang" }
    page_people { en: "People", id: "Orang" }
    page_more_people {
        en: "There are more people: find them by name.",
        id: "Masih ada orang lain: cari dengan namanya.",
    }
    page_here { en: "online", id: "daring" }
    page_invisible { en: "online, unseen", id: "daring, tak terlihat" }
    page_here_since(time) { en: "since {time}", id: "sejak {time}" }
    page_nothing_found { en: "Nothing was found.", id: "Tidak ada yang ditemukan." }
    page_search { en: "Search", id: "Cari" }
    page_rooms { en: "Rooms", id: "Ruang" }
    page_settings { en: "Settings", id: "Pengaturan" }
    page_unread(count) { en: "{count} unread", id: "{count} belum dibaca" }
    page_unread_mentions(count, mentions) {
        en: "{count} unread, {mentions} mention you",
        id: "{count} belum dibaca, {mentions} menyebut Anda",
    }
    page_muted { en: "muted", id: "dibisukan" }
    page_private { en: "private", id: "privat" }
    page_block { en: "Block", id: "Blokir" }
    page_unblock { en: "Unblock", id: "Buka blokir" }
    page_unblock_user(user) { en: "Unblock {user}", id: "Buka blokir {user}" }
    page_blocked { en: "blocked", id: "diblokir" }
    page_is_blocked {
        en: "You block this person. They cannot write to you alone, and you do not see what they write in rooms.",
        id: "Anda memblokir orang ini. Orang ini tidak dapat menyurati Anda, dan tulisannya di ruang tidak terlihat.",
    }
    page_block_hint {
        en: "Blocked people cannot write to you alone, and you do not see what they write in rooms. They are not told why.",
        id: "Orang yang diblokir tidak dapat menyurati Anda, dan tulisannya di ruang tidak terlihat. Alasannya tidak disebutkan.",
    }
    page_blocks { en: "Blocked people", id: "Orang yang diblokir" }
    page_nobody_blocked { en: "You block nobody.", id: "Anda tidak memblokir siapa pun." }
    page_blocked_since(time) { en: "since {time}", id: "sejak {time}" }
    page_block_whom {
        en: "People to block, with spaces between them",
        id: "Orang yang akan diblokir, dipisahkan spasi",
    }
    page_choose {
        en: "Choose a conversation, or find a person to write to.",
        id: "Pilih percakapan, atau cari orang untuk disurati.",
    }
    page_back { en: "Back to the conversations", id: "Kembali ke percakapan" }
    page_details { en: "Details", id: "Rincian" }
    page_messages_with(name) { en: "Messages with {name}", id: "Pesan dengan {name}" }
    page_no_messages {
        en: "No messages yet. Write the first.",
        id: "Belum ada pesan. Tulis yang pertama.",
    }
    page_new_messages { en: "New messages", id: "Pesan baru" }
    page_to_the_end { en: "Newest messages ↓", id: "Pesan terbaru ↓" }
    page_try_again { en: "Try again", id: "Coba lagi" }
    page_discard { en: "Discard", id: "Buang" }
    page_waits(time) {
        en: "Written at {time}, not sent yet",
        id: "Ditulis pukul {time}, belum terkirim",
    }
    page_tags { en: "Tags", id: "Label" }
    page_reply { en: "Reply", id: "Balas" }
    page_no_reply { en: "Do not reply to it", id: "Jangan balas pesan itu" }
    page_edit { en: "Edit", id: "Ubah" }
    page_no_edit { en: "Do not edit it", id: "Jangan ubah pesan itu" }
    page_expires(time) { en: "until {time}", id: "sampai {time}" }
    page_expired { en: "expired", id: "kedaluwarsa" }
    page_edited { en: "edited", id: "diubah" }
    page_delete { en: "Delete", id: "Hapus" }
    page_delete_message { en: "Delete the message", id: "Hapus pesan" }
    page_delete_for_all {
        en: "Nobody will find it any more.",
        id: "Tidak akan ada yang menemukannya lagi.",
    }
    page_is_deleted { en: "The message was deleted.", id: "Pesannya sudah dihapus." }
    page_keep { en: "Keep", id: "Jangan hapus" }
    page_answers_earlier { en: "answers an earlier message", id: "menjawab pesan sebelumnya" }
    page_priority_1 { en: "lowest priority", id: "prioritas terendah" }
    page_priority_2 { en: "low priority", id: "prioritas rendah" }
    page_priority_4 { en: "high priority", id: "prioritas tinggi" }
    page_priority_5 { en: "urgent", id: "mendesak" }
    page_write { en: "Write a message", id: "Tulis pesan" }
    page_send { en: "Send", id: "Kirim" }
    page_not_kept {
        en: "This browser has no room to keep the message: it was not sent.",
        id: "Peramban ini tidak punya ruang untuk menyimpan pesannya: belum dikirim.",
    }
    page_too_long {
        en: "The message is longer than 32 KiB. Shorten it, or send it in parts.",
        id: "Pesannya lebih panjang dari 32 KiB. Persingkat, atau kirim beberapa bagian.",
    }
    page_part_missing {
        en: "This part of the page cannot be loaded. Reload the page.",
        id: "Bagian halaman ini tidak dapat dimuat. Muat ulang halamannya.",
    }
    page_reload { en: "Reload", id: "Muat ulang" }
    page_close { en: "Close", id: "Tutup" }
    page_new_room { en: "New room", id: "Ruang baru" }
    page_room_name { en: "Name (a–z, 0–9, _ and -)", id: "Nama (a–z, 0–9, _ dan -)" }
    page_topic { en: "Topic", id: "Topik" }
    page_private_room {
        en: "Private: only invited people see it and can join",
        id: "Privat: hanya yang diundang yang melihatnya dan dapat bergabung",
    }
    page_create { en: "Create", id: "Buat" }
    page_member_count(count) { en: "{count} members", id: "{count} anggota" }
    page_open { en: "Open", id: "Buka" }
    page_join { en: "Join", id: "Gabung" }
    page_members { en: "Members", id: "Anggota" }
    page_invite_whom {
        en: "People to invite, with spaces between them",
        id: "Orang yang diundang, dipisahkan spasi",
    }
    page_invite { en: "Invite", id: "Undang" }
    page_role_of(user) { en: "Role of {user}", id: "Peran {user}" }
    page_role_owner { en: "owner", id: "pemilik" }
    page_role_moderator { en: "moderator", id: "pengelola" }
    page_role_member { en: "member", id: "anggota" }
    page_remove { en: "Remove", id: "Keluarkan" }
    page_remove_user(user) { en: "Remove {user}", id: "Keluarkan {user}" }
    page_leave { en: "Leave the room", id: "Tinggalkan ruang" }
    page_archive { en: "Archive the room", id: "Arsipkan ruang" }
    page_unarchive { en: "Open the room again", id: "Buka lagi ruangnya" }
    page_is_archived {
        en: "The room is archived: it takes no messages.",
        id: "Ruang ini diarsipkan: tidak menerima pesan.",
    }
    page_notify { en: "Tell me of", id: "Beri tahu saya tentang" }
    page_notify_all { en: "all messages", id: "semua pesan" }
    page_notify_mentions { en: "messages that mention me", id: "pesan yang menyebut saya" }
    page_notify_none { en: "nothing", id: "tidak ada" }
    page_posting { en: "Who can post", id: "Siapa yang dapat menulis" }
    page_posting_members { en: "all members", id: "semua anggota" }
    page_posting_moderators { en: "moderators and owners", id: "pengelola dan pemilik" }
    page_history { en: "New members can read", id: "Anggota baru dapat membaca" }
    page_history_all { en: "all earlier messages", id: "semua pesan sebelumnya" }
    page_history_joined { en: "messages after they joined", id: "pesan setelah mereka bergabung" }
    page_search_hint {
        en: "Words, \"a phrase\", begin*, from:neko, in:#build, tag:ci, before:2026-11-30, -without",
        id: "Kata, \"sebuah frasa\", awal*, from:neko, in:#build, tag:ci, before:2026-11-30, -tanpa",
    }
    page_searching { en: "Searching…", id: "Mencari…" }
    page_older_results { en: "Older results", id: "Hasil yang lebih lama" }
    page_status { en: "What you do now", id: "Yang sedang Anda lakukan" }
    page_status_hint {
        en: "Others see it beside your name while you are online.",
        id: "Orang lain melihatnya di samping nama Anda selama Anda daring.",
    }
    page_be_invisible {
        en: "Do not show others that I am online",
        id: "Jangan perlihatkan kepada orang lain bahwa saya daring",
    }
    page_receipts {
        en: "Show others what I have read, and me what they have read",
        id: "Perlihatkan yang sudah saya baca kepada orang lain, dan sebaliknya",
    }
    page_saved { en: "Saved.", id: "Tersimpan." }
    page_look { en: "Look", id: "Tampilan" }
    page_look_system { en: "as the system", id: "seperti sistem" }
    page_look_light { en: "light", id: "terang" }
    page_look_dark { en: "dark", id: "gelap" }
    page_language { en: "Language", id: "Bahasa" }
    page_notices {
        en: "Notify me while this page is open",
        id: "Beri tahu saya selama halaman ini terbuka",
    }
    page_sessions { en: "Sessions", id: "Sesi" }
    page_session_since(time) { en: "Since {time}", id: "Sejak {time}" }
    page_session_seen(time) { en: "last used {time}", id: "terakhir dipakai {time}" }
    page_this_session { en: "this one", id: "yang ini" }
    page_end_session { en: "End", id: "Akhiri" }
    page_tokens { en: "Access tokens", id: "Token akses" }
    page_tokens_hint {
        en: "With an access token, a program acts for you without your password.",
        id: "Dengan token akses, sebuah program bertindak atas nama Anda tanpa kata sandi.",
    }
    page_token_new { en: "New access token", id: "Token akses baru" }
    page_token_name { en: "Name of the token", id: "Nama token" }
    page_token_name_hint { en: "a to z, 0 to 9, _ - and .", id: "a sampai z, 0 sampai 9, _ - dan ." }
    page_token_can { en: "What it may do", id: "Yang boleh dilakukan" }
    page_can_send { en: "send", id: "mengirim" }
    page_can_hook { en: "send, by a URL (hook)", id: "mengirim, lewat URL (hook)" }
    page_can_read { en: "read", id: "membaca" }
    page_can_all { en: "all, but for your account", id: "semua, kecuali akun Anda" }
    page_token_targets { en: "To whom it may send", id: "Tujuan pengirimannya" }
    page_token_targets_hint {
        en: "People and rooms (#build), with spaces between them; empty for all. A hook has one.",
        id: "Orang dan ruang (#build), dipisahkan spasi; kosong untuk semua. Hook punya satu.",
    }
    page_token_life { en: "It expires", id: "Masa berlaku" }
    page_life_days(count) { en: "in {count} days", id: "{count} hari" }
    page_life_endless { en: "never", id: "tanpa batas" }
    page_token_to(names) { en: "to {names}", id: "ke {names}" }
    page_token_made(time) { en: "made {time}", id: "dibuat {time}" }
    page_token_ends(time) { en: "expires {time}", id: "berakhir {time}" }
    page_token_endless { en: "does not expire", id: "tidak kedaluwarsa" }
    page_token_used(time, place) {
        en: "last used {time} from {place}",
        id: "terakhir dipakai {time} dari {place}",
    }
    page_token_unused { en: "never used", id: "belum pernah dipakai" }
    page_token_once(name) {
        en: "{name}: copy it now, nobody can show it again",
        id: "{name}: salin sekarang, tidak dapat ditampilkan lagi",
    }
    page_copy { en: "Copy", id: "Salin" }
    page_copied { en: "Copied.", id: "Tersalin." }
    page_copy_by_hand {
        en: "Copy it by hand: it is selected.",
        id: "Salin sendiri: teksnya sudah dipilih.",
    }
    page_revoke { en: "Revoke", id: "Cabut" }
    page_revoke_token(name) { en: "Revoke {name}", id: "Cabut {name}" }
    page_revoke_sure(name) {
        en: "Revoke {name}? Programs that use it are refused from then on.",
        id: "Cabut {name}? Program yang memakainya akan ditolak setelah ini.",
    }
    page_log_out { en: "Log out", id: "Keluar" }
    page_change_password { en: "Change the password", id: "Ganti kata sandi" }
    page_old_password { en: "Old password", id: "Kata sandi lama" }
    page_new_password { en: "New password", id: "Kata sandi baru" }
    page_password_ends_sessions {
        en: "All other sessions end.",
        id: "Semua sesi lain berakhir.",
    }
    page_password_changed { en: "The password is changed.", id: "Kata sandinya sudah diganti." }
    page_keys { en: "Keys", id: "Tombol" }
    page_key_send { en: "send", id: "kirim" }
    page_key_break { en: "break the line", id: "baris baru" }
    page_key_move {
        en: "move between messages or conversations",
        id: "pindah antara pesan atau percakapan",
    }
    page_key_reply { en: "reply to the message", id: "balas pesan itu" }
    page_key_edit { en: "edit a message of yours", id: "ubah pesan Anda" }
    page_key_delete { en: "delete the message", id: "hapus pesan itu" }
    page_key_end { en: "go to the newest message", id: "ke pesan terbaru" }
    page_key_box { en: "back to the box", id: "kembali ke kotak tulis" }
    page_key_find { en: "find a conversation", id: "cari percakapan" }
}
