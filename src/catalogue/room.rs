//! The texts about rooms: results, errors and hints of both programs.

texts! {
    give_room(problem) {
        en: "{problem}; give the name of a room: 1 to 32 of a-z 0-9 _ -, with or without a # before it",
        id: "{problem}; tulis nama ruang: 1 sampai 32 dari a-z 0-9 _ -, dengan atau tanpa # di depannya",
    }
    quote_room {
        en: "a shell takes # for a comment; for a room, quote it: '#build'; or give --room build",
        id: "shell menganggap # komentar; untuk ruang, pakai tanda kutip: '#build'; atau --room build",
    }
    leave_out_hash {
        en: "a shell takes # for a comment: leave it out, or quote the room: '#build'",
        id: "shell menganggap # komentar: hilangkan, atau pakai tanda kutip: '#build'",
    }
    give_topic(problem, max) {
        en: "{problem}; give one line of at most {max} bytes",
        id: "{problem}; tulis satu baris paling banyak {max} byte",
    }
    is_a_room(name) {
        en: "{name} is a room: give a user",
        id: "{name} adalah ruang: tulis nama user",
    }
    list_rooms {
        en: "`chat-cli room list` shows the rooms that you can see; a private room needs an invitation",
        id: "`chat-cli room list` menampilkan ruang yang bisa kamu lihat; ke ruang privat kamu harus diundang",
    }
    show_room(room) {
        en: "`chat-cli room show {room}` shows your role there; `chat-cli room join {room}` joins a public room",
        id: "`chat-cli room show {room}` menampilkan peranmu di sana; `chat-cli room join {room}` masuk ke ruang publik",
    }
    operator_makes_room_of_everybody {
        en: "@all is the room of everybody, which an operator makes: `chat-server room everybody`",
        id: "@all adalah ruang semua orang, yang dibuat operator: `chat-server room everybody`",
    }
    operator_allows_to_post {
        en: "an operator allows it: `chat-server room add all USER --role moderator`",
        id: "operator mengizinkannya: `chat-server room add all USER --role moderator`",
    }
    mute_room_of_everybody {
        en: "`chat-cli room set all --notify none` mutes it for you",
        id: "`chat-cli room set all --notify none` membisukannya untukmu",
    }
    name_an_owner {
        en: "`chat-cli room leave ROOM --owner USER` makes a member the owner first",
        id: "`chat-cli room leave ROOM --owner USER` lebih dulu menjadikan seorang anggota pemiliknya",
    }

    // Results
    created(room) {
        en: "{room} is created; you are its owner",
        id: "{room} sudah dibuat; kamu pemiliknya",
    }
    created_by_operator(room) {
        en: "{room} is created; it has no members yet",
        id: "{room} sudah dibuat; belum ada anggotanya",
    }
    everybody_is_in(members, room) {
        en: "everybody is in {room}: {members}; `room add all USER --role moderator` lets a user post",
        id: "semua orang ada di {room}: {members}; `room add all USER --role moderator` mengizinkan user menulis",
    }
    added(user, role, room) {
        en: "{user} is {role} of {room}",
        id: "{user} menjadi {role} di {room}",
    }
    joined(room) { en: "you are a member of {room}", id: "kamu anggota {room}" }
    left(room) { en: "you left {room}", id: "kamu sudah keluar dari {room}" }
    invited(users, room) {
        en: "invited to {room}: {users}",
        id: "diundang ke {room}: {users}",
    }
    nobody_to_invite(room) {
        en: "they are members of {room} already",
        id: "mereka sudah anggota {room}",
    }
    kicked(user, room) {
        en: "{user} is removed from {room}",
        id: "{user} dikeluarkan dari {room}",
    }
    changed(room) { en: "{room} is changed", id: "{room} sudah diubah" }
    archived(room) { en: "{room} is archived", id: "{room} sudah diarsipkan" }
    opened_again(room) { en: "{room} is open again", id: "{room} sudah dibuka lagi" }
    no_rooms {
        en: "there are no rooms here; `room create NAME` makes one",
        id: "tidak ada ruang di sini; `room create NAMA` membuatnya",
    }

    // The settings
    topic_label { en: "topic", id: "topik" }
    members_label { en: "members", id: "anggota" }
    access_label { en: "access", id: "akses" }
    public { en: "public", id: "publik" }
    private { en: "private", id: "privat" }
    everybody { en: "everybody", id: "semua orang" }
    posting_label { en: "posting", id: "menulis" }
    history_label { en: "history", id: "riwayat" }
    created_label { en: "created", id: "dibuat" }
    archived_label { en: "archived", id: "diarsipkan" }
    role_title { en: "role", id: "peran" }
    role_label { en: "you are", id: "kamu" }
    notify_label { en: "notify", id: "pemberitahuan" }

    no_such_user_or_room {
        en: "there is no such user or room",
        id: "user atau ruang itu tidak ada",
    }

    examples {
        en: "\
A room has a name that begins with #. A shell takes a # without quotes for a comment, so `room` takes
the name without it too, and elsewhere there are quotes ('#build') and --room build.

Anybody can see and join a public room. Only members and invited users see a private one: to others
it does not exist. The owner of a room is the user who creates it; owners make others owners and
moderators. A room stays when its members leave, and it can be archived.

Examples:
  chat-cli room create build --topic 'Builds of the main branch'
  chat-cli room join build
  chat-cli send --room build the build is done
  chat-cli history --room build
  chat-cli room create on-call --private --history joined
  chat-cli room invite on-call ivy,robo
  chat-cli room set news --posting moderators   announcements: others only read
  chat-cli room set build --moderator ivy
  chat-cli room set build --notify mentions     unread are only messages with @YOU
  chat-cli room list --json | jq -r .room
  chat-cli room leave build --owner ivy         the last owner names another

`list` and `members` have columns on a terminal; anywhere else tabs separate the fields. Exit code 1
if there are no rooms.",
        id: "\
Nama ruang diawali #. Shell menganggap # tanpa tanda kutip komentar, jadi `room` juga menerima nama
tanpa #, dan di tempat lain ada tanda kutip ('#build') serta --room build.

Siapa saja bisa melihat dan memasuki ruang publik. Ruang privat hanya terlihat oleh anggota dan yang
diundang: bagi yang lain ruang itu tidak ada. Pemilik ruang adalah pembuatnya; pemilik menjadikan
orang lain pemilik atau moderator. Ruang tetap ada saat anggotanya keluar, dan bisa diarsipkan.

Contoh:
  chat-cli room create build --topic 'Build dari cabang utama'
  chat-cli room join build
  chat-cli send --room build build sudah selesai
  chat-cli history --room build
  chat-cli room create on-call --private --history joined
  chat-cli room invite on-call ivy,robo
  chat-cli room set news --posting moderators   pengumuman: yang lain hanya membaca
  chat-cli room set build --moderator ivy
  chat-cli room set build --notify mentions     belum dibaca hanya pesan dengan @KAMU
  chat-cli room list --json | jq -r .room
  chat-cli room leave build --owner ivy         pemilik terakhir menyebut penggantinya

`list` dan `members` berkolom di terminal; selain itu dipisah tab. Kode keluar 1 jika tidak ada
ruang.",
    }
}
