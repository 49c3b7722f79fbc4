//! The `--help` of `chat-cli`. The English help of options is in `client::arguments`. This module has
//! its Indonesian translation, and the longer texts in both languages.

use super::shared_help::Help;

/// The help of commands and options. The English text is written as `clap` stores it: as a single
/// paragraph without the full stop at its end.
pub const HELP: &Help = &[
    // The program
    (
        "Talk to other users of a chat server, from the shell or at a prompt",
        "Mengobrol dengan user lain di server chat, dari shell atau dari prompt",
    ),
    // For every command
    (
        "The server's address: HOST:PORT, chats://HOST or unix:/PATH [default: unix:/run/chat/chat.sock if there is one, else 127.0.0.1:8889]. Commas separate the servers of one service",
        "Alamat server: HOST:PORT, chats://HOST atau unix:/PATH [bawaan: unix:/run/chat/chat.sock jika ada, kalau tidak 127.0.0.1:8889]. Koma memisahkan server-server dari satu layanan",
    ),
    (
        "The user to act as: uses this user's session, which is kept apart from others",
        "Siapa kamu di sana: sesi user ini yang dipakai, dan disimpan terpisah dari yang lain",
    ),
    ("The profile of the configuration file to use", "Profil dari file konfigurasi yang dipakai"),
    (
        "How long to wait for the server, and to keep trying to send: 10s, 500ms, 2m [default: 10s]. For `ask`: how long to wait for the answer [default: 60s]. For `watch`: when to end",
        "Berapa lama menunggu server, dan terus mencoba mengirim: 10s, 500ms, 2m [bawaan: 10s]. Untuk `ask`: berapa lama menunggu jawaban [bawaan: 60s]. Untuk `watch`: kapan berhenti",
    ),
    (
        "Print one JSON object per line, for programs; errors too, on standard error",
        "Satu objek JSON per baris, untuk program; kesalahan juga, di standard error",
    ),
    ("How times are shown", "Cara waktu ditampilkan"),
    ("This machine's time (`TZ`, `/etc/localtime`)", "Jam mesin ini (`TZ`, `/etc/localtime`)"),
    ("UTC", "UTC"),
    ("How long ago: `2 min ago`", "Berapa lama yang lalu: `2 mnt lalu`"),
    (
        "Behave like the seed's client, also on a terminal: the prompt shows the token",
        "Berlaku seperti klien aslinya (seed), juga di terminal: prompt menampilkan token",
    ),
    (
        "Show the request of each `send`, as the seed's client does (in the classic session)",
        "Tampilkan permintaan setiap `send`, seperti klien aslinya (dalam sesi klasik)",
    ),
    // The details of a message
    (
        "One line above the text: at most 256 bytes",
        "Satu baris di atas teks: paling banyak 256 byte",
    ),
    (
        "How urgent it is: 1 to 5, or min, low, default, high, urgent",
        "Seberapa mendesak: 1 sampai 5, atau min, low, default, high, urgent",
    ),
    (
        "A word to select messages by; several are separated by commas, or given one by one",
        "Kata untuk memilih pesan; beberapa dipisahkan koma, atau ditulis satu per satu",
    ),
    // Which messages
    (
        "Only messages of this priority and higher ones",
        "Hanya pesan dengan prioritas ini dan yang lebih tinggi",
    ),
    (
        "Only messages with this tag; with several, only messages that have all of them",
        "Hanya pesan dengan tag ini; kalau beberapa, hanya pesan yang punya semuanya",
    ),
    ("Only messages from this user", "Hanya pesan dari user ini"),
    (
        "Only messages to this room; its # may be left out",
        "Hanya pesan ke ruang ini; # di depannya boleh dihilangkan",
    ),
    ("What to open: an http or https URL", "Yang dibuka: URL http atau https"),
    ("The message that this one answers", "Pesan yang dijawab oleh pesan ini"),
    // Commands
    (
        "Log in, and store the session for later commands",
        "Login, dan simpan sesinya untuk perintah-perintah berikutnya",
    ),
    ("Send a message, exactly once", "Kirim pesan, tepat satu kali"),
    (
        "Show unread messages, and mark them as read once they are written",
        "Tampilkan pesan yang belum dibaca, lalu tandai sudah dibaca setelah selesai ditulis",
    ),
    (
        "Show past messages, newest last; changes nothing",
        "Tampilkan percakapan, yang terbaru paling bawah; tidak mengubah apa pun",
    ),
    (
        "Find messages by their words, newest first; changes nothing",
        "Cari pesan menurut kata-katanya, yang terbaru dulu; tidak mengubah apa pun",
    ),
    (
        "List conversations with what is unread, newest first; exit code 1 if there are none",
        "Daftar percakapan dan yang belum dibaca, terbaru dulu; kode keluar 1 jika tidak ada",
    ),
    (
        "Count unread messages; exit code 1 if there are none",
        "Beri tahu berapa yang belum dibaca; kode keluar 1 jika tidak ada",
    ),
    ("Mark messages as read", "Tandai pesan sudah dibaca"),
    (
        "Show who has read a message of yours, or turn receipts on or off",
        "Tampilkan siapa yang sudah membaca pesanmu, atau nyalakan dan matikan tanda terima",
    ),
    (
        "Show messages as they arrive, or run a command for each",
        "Tampilkan pesan begitu masuk, atau jalankan perintah untuk masing-masing",
    ),
    (
        "Send a message, wait for the answer and print it",
        "Kirim pesan, tunggu jawabannya, lalu cetak",
    ),
    ("Show who is logged in", "Tampilkan siapa yang sedang login"),
    ("Show all users you can write to", "Tampilkan semua yang bisa dikirimi pesan"),
    (
        "Show who is connected now, and since when",
        "Tampilkan siapa yang sekarang tersambung, dan sejak kapan",
    ),
    ("Set your status: what you do now, for `who`", "Atur statusmu: kamu sedang apa, untuk `who`"),
    (
        "Take no messages from a user, or show whom you block",
        "Jangan terima pesan dari seorang user, atau tampilkan siapa yang kamu blokir",
    ),
    ("Take messages from a user again", "Terima lagi pesan dari seorang user"),
    // block
    (
        "The user to block. Without a user, those whom you block are shown",
        "User yang diblokir. Tanpa user, yang kamu blokir ditampilkan",
    ),
    ("The user whom you no longer block", "User yang tidak kamu blokir lagi"),
    // status
    ("Take the text away", "Hapus teksnya"),
    ("Nobody sees that you are connected", "Tidak ada yang melihat kamu tersambung"),
    ("End --invisible", "Akhiri --invisible"),
    (
        "What you do now: at most 256 bytes. Words are joined with one space. Without anything, the status is shown",
        "Kamu sedang apa: paling panjang 256 byte. Kata-kata digabung dengan satu spasi. Jika kosong, statusnya ditampilkan",
    ),
    ("Show who you are", "Tampilkan siapa kamu"),
    (
        "Change your password, and end your other sessions",
        "Ganti password, dan akhiri sesimu yang lain",
    ),
    ("Show your sessions", "Tampilkan sesi-sesimu"),
    ("End one of your sessions, or all others", "Akhiri salah satu sesimu, atau semua yang lain"),
    ("End the session, on the server and here", "Akhiri sesi, di server dan di sini"),
    // config
    ("Show and write the settings of this client", "Tampilkan dan tulis pengaturan klien ini"),
    (
        "Write a configuration file, or add a profile to it: asks on a terminal, otherwise uses the options",
        "Tulis file konfigurasi, atau tambahkan profil: bertanya di terminal, selain itu dari opsi",
    ),
    (
        "Show every setting, its value and its source",
        "Tampilkan setiap pengaturan, nilainya, dan dari mana asalnya",
    ),
    (
        "Show the path of the configuration file, whether it exists or not",
        "Tampilkan letak file konfigurasi, ada atau tidak",
    ),
    ("Replace an existing file", "Ganti file yang sudah ada dengan yang baru"),
    // join
    (
        "Accept an invitation: make the account, and log in",
        "Terima undangan: buat akunnya, lalu login",
    ),
    ("The link of the invitation, or its secret alone", "Tautan undangan, atau rahasianya saja"),
    (
        "The name to log in with; without it, that of the invitation, else a terminal asks for it",
        "Nama untuk login; kalau kosong, nama dari undangan, atau ditanyakan di terminal",
    ),
    (
        "The name for people; by default the user's name",
        "Nama untuk orang; bawaannya nama user itu",
    ),
    // auth
    (
        "The user to log in as; without it, the user that is set",
        "Siapa kamu; jika kosong, user yang diatur",
    ),
    (
        "Not recommended: other users of this machine can see it. Without it, a terminal asks for it; otherwise it is the first line of standard input",
        "Sebaiknya jangan ditulis di sini: user lain di mesin ini bisa melihatnya. Ditanyakan di terminal, atau dibaca dari baris pertama standard input",
    ),
    // send
    (
        "Send under this id instead of a new one. An id is stored once, however often it is sent",
        "Kirim dengan id ini, bukan id baru. Satu id disimpan satu kali, berapa kali pun dikirim",
    ),
    (
        "Send the content of this file; `-` is standard input",
        "Kirim isi file ini; `-` berarti standard input",
    ),
    (
        "Send each line of the input as its own message, as it arrives. Empty lines are skipped",
        "Kirim setiap baris masukan sebagai pesan tersendiri, begitu datang. Baris kosong dilewati",
    ),
    (
        "Run a command, and tell TO how it ended: COMMAND ARGS... instead of a text. Its output is passed through, and its exit code is the one of this command",
        "Jalankan sebuah perintah, lalu beri tahu TO bagaimana berakhirnya: PERINTAH ARG... sebagai ganti teks. Keluarannya diteruskan, dan kode keluarnya menjadi kode keluar perintah ini",
    ),
    (
        "Wait for the end of this process, and tell TO",
        "Tunggu sampai proses ini berakhir, lalu beri tahu TO",
    ),
    (
        "With --done: how many of the last lines of the output are sent. With 0 the command has your terminal to itself",
        "Dengan --done: berapa baris terakhir keluarannya yang dikirim. Dengan 0 perintahnya memakai terminal Anda sepenuhnya",
    ),
    (
        "The recipient, or several separated by commas: all of them get it, or none. A room is '#build', with quotes in a shell, and everybody is @all",
        "Penerimanya; beberapa dipisah koma: semua menerima, atau tidak ada satu pun. Ruang ditulis '#build', dengan tanda kutip di shell, dan semua orang adalah @all",
    ),
    (
        "Send to this room instead of TO, or to several, separated by commas. The # of a room may be left out",
        "Kirim ke ruang ini, bukan ke TO, atau ke beberapa ruang, dipisah koma. # di depan nama ruang boleh dihilangkan",
    ),
    (
        "The text; words are joined with one space. Without it, or as `-`, standard input is sent unchanged, except for one line feed at its end. With --done: the command and its arguments",
        "Teksnya; kata-kata digabung dengan satu spasi. Tanpa teks, atau dengan `-`, standard input dikirim apa adanya, kecuali satu ganti baris di akhirnya. Dengan --done: perintah dan argumennya",
    ),
    // inbox
    (
        "Only the texts, exactly as they were sent, each followed by a line feed. Nothing is escaped: not for a terminal",
        "Hanya teksnya, persis seperti dikirim, masing-masing diakhiri ganti baris. Tidak ada yang diamankan: bukan untuk terminal",
    ),
    ("Leave the messages unread", "Biarkan pesan tetap belum dibaca"),
    ("Include messages that were read before", "Juga yang sudah dibaca"),
    (
        "At most this many messages, the oldest first",
        "Paling banyak sekian pesan, yang terlama dulu",
    ),
    // history
    (
        "The conversation with this user, in both directions, or in this room: '#build'. Without it, all received messages",
        "Percakapan dengan user ini, dua arah, atau di ruang ini: '#build'. Tanpa ini, semua yang masuk",
    ),
    ("How many of the newest messages", "Berapa pesan, diambil dari yang terbaru"),
    (
        "Only the texts, exactly as they were sent, each followed by a line feed",
        "Hanya teksnya, persis seperti dikirim, masing-masing diakhiri ganti baris",
    ),
    (
        "The messages before and after this one, instead of the newest ones",
        "Pesan-pesan sebelum dan sesudah pesan ini, bukan yang terbaru",
    ),
    // search
    ("At most this many messages", "Paling banyak sekian pesan"),
    (
        "Words that a message must have. Also: \"phrases\" in quotation marks, beginnings*, from:USER, with:USER, in:#ROOM, tag:TAG, before: and after: with a date or an id. A `-` before a term excludes it. Words are joined with one space",
        "Kata-kata yang harus ada di pesan. Juga: \"frasa\" dalam tanda kutip, awalan*, from:USER, with:USER, in:#RUANG, tag:TAG, before: dan after: dengan tanggal atau id. `-` di depan sebuah istilah mengecualikannya. Kata-kata digabung dengan satu spasi",
    ),
    // conversations
    ("At most this many conversations", "Paling banyak sekian percakapan"),
    // ack
    (
        "Everything up to and including this message counts as read",
        "Semua sampai dengan pesan ini terhitung sudah dibaca",
    ),
    ("Everything received so far counts as read", "Semua yang ada sekarang terhitung sudah dibaca"),
    (
        "Move the cursor with this name, instead of the one of `inbox`",
        "Pindahkan kursor dengan nama ini, bukan milik `inbox`",
    ),
    (
        "Allow moving backwards, so that messages are unread again",
        "Juga mundur, sehingga pesan menjadi belum dibaca lagi",
    ),
    (
        "Only the messages from this user count as read",
        "Hanya pesan dari user ini yang terhitung sudah dibaca",
    ),
    (
        "Only the messages to this room count as read; its # may be left out",
        "Hanya pesan ke ruang ini yang terhitung sudah dibaca; # boleh tidak ditulis",
    ),
    // receipts
    (
        "A message that you have sent: who has read it. `off`: nobody sees what you have read, and you see it of nobody; `on` ends that. Without it, the setting is shown",
        "Pesan yang kamu kirim: siapa yang sudah membacanya. `off`: tidak ada yang melihat apa yang kamu baca, dan kamu tidak melihat punya siapa pun; `on` mengakhirinya. Jika kosong, pengaturannya ditampilkan",
    ),
    (
        "Wait until all recipients have read it; in a room, until one member has. If that takes longer than this, or the message expires, the exit code is 1",
        "Tunggu sampai semua penerima membacanya; di ruang, sampai satu anggota membacanya. Jika lebih lama dari ini, atau pesannya kedaluwarsa, kode keluarnya 1",
    ),
    // watch
    (
        "Begin where the last `watch` with this name stopped, and remember the position of this one",
        "Mulai dari tempat `watch` terakhir dengan nama ini berhenti, dan ingat sampai mana yang ini",
    ),
    (
        "Where to begin, if there is no cursor with that name yet: `unread`, `new`, `all`, the id of a message (begins after it), or how long ago, such as 2h",
        "Mulai dari mana, jika kursor bernama itu belum ada: `unread`, `new`, `all`, id pesan (mulai sesudahnya), atau berapa lama yang lalu, misalnya 2h",
    ),
    (
        "End after this many messages; exit code 1 if it ends before, or if one of them is a dead letter",
        "Berhenti setelah sekian pesan; kode keluar 1 jika berhenti sebelumnya, atau jika salah satunya \
         gagal ditangani (dead letter)",
    ),
    (
        "End when all existing messages were shown, instead of waiting for more",
        "Berhenti setelah semua yang ada ditampilkan, tidak menunggu yang berikutnya",
    ),
    (
        "Also report `ready`, `disconnected` and `caught_up`: on standard error, or with --json as objects between the messages",
        "Beri tahu juga `ready`, `disconnected`, dan `caught_up`: di standard error, atau dengan --json sebagai objek di antara pesan",
    ),
    (
        "Also notify of each message: on the desktop with notify-send, else through the terminal. On the desktop, a question that offers answers has a button for each",
        "Beri notifikasi juga untuk setiap pesan: di desktop dengan notify-send, kalau tidak lewat terminal. Di desktop, pertanyaan dengan pilihan jawaban punya tombol untuk masing-masing",
    ),
    (
        "Also messages of rooms that you are not told of: `room set --notify`",
        "Juga pesan dari ruang yang tidak diberitahukan kepadamu: `room set --notify`",
    ),
    (
        "How often to try --exec for a message before it becomes a dead letter",
        "Berapa kali --exec dicoba untuk satu pesan sebelum menjadi dead letter",
    ),
    (
        "Show the dead letters of --as NAME, and end; exit code 1 if there are none",
        "Tampilkan dead letter milik --as NAME, lalu berhenti; kode keluar 1 jika tidak ada",
    ),
    (
        "Remove the dead letters that --dead has shown",
        "Lupakan dead letter yang sudah ditampilkan --dead",
    ),
    (
        "Run this command for each message, with the message as JSON on its standard input, and CHAT_ID and CHAT_FROM in its environment, and CHAT_ROOM if it is to a room. Takes the rest of the command line. No shell is involved",
        "Jalankan ini untuk setiap pesan, dengan pesannya sebagai JSON di standard input, dan CHAT_ID serta CHAT_FROM di environment, juga CHAT_ROOM untuk pesan ke ruang. Mengambil seluruh sisa baris perintah. Tanpa shell",
    ),
    // scheduled
    (
        "Show what is sent later, the next first; exit code 1 if there is nothing",
        "Tampilkan yang dikirim nanti, yang terdekat dulu; kode keluar 1 jika tidak ada",
    ),
    ("Cancel a message that is sent later", "Batalkan pesan yang dikirim nanti"),
    ("Which one; `scheduled` shows them", "Yang mana; `scheduled` menampilkannya"),
    (
        "Send it later, at the next 17:00 or at '2026-12-01 09:00' by the clock of this machine, or at a time with an offset, as RFC 3339 has it. The server sends it",
        "Kirim nanti, pada 17:00 berikutnya atau pada '2026-12-01 09:00' menurut jam mesin ini, atau pada waktu dengan offset seperti RFC 3339. Server yang mengirimnya",
    ),
    ("Send it later: in 30m, 2h, 1d", "Kirim nanti: dalam 30m, 2h, 1d"),
    (
        "Let it expire after 30m, 2h, 1d, or at a time as --at has it: then nobody has it unread, and `history` marks it. With --at or --in, the duration begins when it is sent",
        "Biarkan kedaluwarsa setelah 30m, 2h, 1d, atau pada waktu seperti pada --at: sesudah itu bukan lagi pesan belum dibaca, dan `history` menandainya. Dengan --at atau --in, lamanya dihitung sejak dikirim",
    ),
    // expect, report
    (
        "Have the server tell a user if you do not report",
        "Minta server memberi tahu user jika kamu tidak melapor",
    ),
    ("Report what is expected", "Laporkan yang diharapkan"),
    (
        "What will report: at most 32 of a-z, 0-9 and `._-`",
        "Apa yang akan melapor: paling banyak 32 dari a-z, 0-9, dan `._-`",
    ),
    ("How often it reports: 10m, 1d", "Seberapa sering melapor: 10m, 1d"),
    ("How much later a report may come", "Berapa lama laporan boleh terlambat"),
    ("Who is told, with a message from you", "Siapa yang diberi tahu, dengan pesan darimu"),
    (
        "Show what you expect; exit code 1 if there is nothing",
        "Tampilkan yang kamu harapkan; kode keluar 1 jika tidak ada",
    ),
    ("Expect something no longer", "Jangan harapkan sesuatu lagi"),
    ("Which one; `expect list` shows them", "Yang mana; `expect list` menampilkannya"),
    ("What reports", "Apa yang melapor"),
    ("It has started. The deadline stays", "Sudah dimulai. Batas waktunya tetap"),
    ("It has failed, as --exit-code 1", "Gagal, seperti --exit-code 1"),
    ("How it has ended: 0 is success", "Bagaimana berakhirnya: 0 berarti berhasil"),
    (
        "Why: told with a failure. Words are joined with one space; `-` is standard input. Of a long text the end is told",
        "Mengapa: ikut diberitahukan jika gagal. Kata-kata disambung dengan satu spasi; `-` adalah standard input. Dari teks yang panjang, bagian akhirnya",
    ),
    // token
    (
        "Make, show and revoke access tokens, for programs",
        "Buat, tampilkan, dan cabut token akses, untuk program",
    ),
    ("Make an access token, and print it once", "Buat token akses, dan tampilkan satu kali"),
    (
        "Show your access tokens; exit code 1 if there are none",
        "Tampilkan token aksesmu; kode keluar 1 jika tidak ada",
    ),
    ("Revoke an access token: it is valid no longer", "Cabut token akses: tidak berlaku lagi"),
    (
        "A name for the token: at most 32 of a-z, 0-9 and `._-`",
        "Nama token: paling banyak 32 dari a-z, 0-9, dan `._-`",
    ),
    (
        "What a program with the token may do. `all` does not include your password, sessions and tokens",
        "Apa yang boleh dilakukan program dengan token itu. `all` tidak termasuk password, sesi, dan tokenmu",
    ),
    (
        "Send only to these users and rooms: neko,'#build'. A hook has one",
        "Hanya kirim ke user dan ruang ini: neko,'#build'. Hook punya satu",
    ),
    (
        "When it expires: 90d, 12h. Without it, it does not",
        "Kapan kedaluwarsa: 90d, 12h. Tanpa ini, tidak pernah",
    ),
    ("Which one; `token list` shows them", "Yang mana; `token list` menampilkannya"),
    ("All your tokens", "Semua tokenmu"),
    // mcp
    (
        "Serve agents by the Model Context Protocol, on standard input and output",
        "Layani agen lewat Model Context Protocol, di standard input dan output",
    ),
    // ask
    (
        "Send under this id instead of a new one. With the same id again, the question is sent once, and the answer is the same",
        "Kirim dengan id ini, bukan id baru: bertanya lagi dengan id yang sama hanya bertanya satu kali, dan menunggu jawaban yang sama",
    ),
    (
        "Accept only one of these answers, separated by commas. The exit code is 0 for the first, 3 for the second, 4 for the third, and so on",
        "Hanya terima salah satu jawaban ini, dipisahkan koma. Kode keluarnya 0 untuk yang pertama, 3 untuk yang kedua, 4 untuk yang ketiga, dan seterusnya",
    ),
    (
        "In a room: accept only the answer of one of these users, separated by commas",
        "Di ruang: hanya terima jawaban salah satu user ini, dipisahkan koma",
    ),
    (
        "Ask in this room instead of TO: all words are the question. The # of a room may be left out",
        "Tanya di ruang ini, bukan TO: semua kata adalah pertanyaannya. # ruang boleh dihilangkan",
    ),
    (
        "The user to ask, or a room: '#build', with quotes in a shell",
        "User yang ditanya, atau ruang: '#build', dengan tanda kutip di shell",
    ),
    // edit, delete
    ("Give a message of yours another text", "Ganti teks pesanmu"),
    (
        "Delete a message: nobody finds it any more",
        "Hapus sebuah pesan: tidak ada yang menemukannya lagi",
    ),
    (
        "Edit under this id instead of a new one. With the same id again, the message is edited once",
        "Ubah dengan id ini, bukan id baru: dengan id yang sama lagi, pesannya hanya diubah satu kali",
    ),
    ("The message to edit: one that you have sent", "Pesan yang diubah: yang kamu kirim"),
    (
        "The message to delete: one that you have sent, or one of a room where you are moderator",
        "Pesan yang dihapus: yang kamu kirim, atau pesan di ruang yang kamu moderatori",
    ),
    (
        "Messages as they were sent, and each edit and deletion. A deleted message has no text here either",
        "Pesan seperti saat dikirim, beserta setiap perubahan dan penghapusan. Pesan yang dihapus juga tanpa teks di sini",
    ),
    (
        "Also show when a message that was shown is edited or deleted: with --json as objects between the messages",
        "Tampilkan juga kalau pesan yang sudah tampil diubah atau dihapus: dengan --json sebagai objek di antara pesan",
    ),
    // reply
    ("Answer a message", "Jawab sebuah pesan"),
    (
        "The message to answer: one that you received or sent. The other side gets the answer",
        "Pesan yang dijawab: yang kamu terima atau kirim. Jawabannya dikirim ke pihak lain",
    ),
    (
        "The text; words are joined with one space. `-` is standard input",
        "Teksnya; kata-kata digabung dengan satu spasi. `-` berarti standard input",
    ),
    (
        "The thread of this message: what it answers, and what answers it, back to the oldest one",
        "Rangkaian pesan ini: yang dijawabnya dan yang menjawabnya, sampai yang paling lama",
    ),
    (
        "The question; words are joined with one space. `-` is standard input, and everything after `--` is text too",
        "Pertanyaannya; kata-kata digabung dengan satu spasi. `-` berarti standard input, dan yang ada setelah `--` juga teks",
    ),
    // room
    (
        "Talk in rooms: create, list, show, join, leave, invite, kick, members, set, archive",
        "Bicara di ruang: create, list, show, join, leave, invite, kick, members, set, archive",
    ),
    ("Create a room, whose owner you are", "Buat ruang; kamu pemiliknya"),
    ("Show the rooms that you can see", "Tampilkan ruang yang bisa kamu lihat"),
    ("Show a room's settings", "Tampilkan pengaturan sebuah ruang"),
    ("Become a member of a room", "Jadi anggota sebuah ruang"),
    ("Leave a room", "Keluar dari sebuah ruang"),
    ("Invite users to a room", "Undang user ke sebuah ruang"),
    (
        "Remove a member from a room, or an invitation",
        "Keluarkan anggota dari sebuah ruang, atau batalkan undangan",
    ),
    ("Show the members of a room", "Tampilkan anggota sebuah ruang"),
    (
        "Change a room's settings, the role of a member, or which messages you are told of",
        "Ubah pengaturan ruang, peran anggota, atau pesan mana yang diberitahukan kepadamu",
    ),
    (
        "Archive a room: its members read it, and nobody posts there any more",
        "Arsipkan sebuah ruang: anggotanya bisa membaca, dan tidak ada yang bisa menulis lagi",
    ),
    ("The room; its # may be left out", "Ruangnya; # di depannya boleh dihilangkan"),
    (
        "The name: 1 to 32 of a-z 0-9 _ -, with or without a # before it",
        "Namanya: 1 sampai 32 dari a-z 0-9 _ -, dengan atau tanpa # di depannya",
    ),
    (
        "What it is about: one line of at most 256 bytes",
        "Tentang apa: satu baris paling banyak 256 byte",
    ),
    (
        "Only invited users can join it, and nobody else sees it",
        "Hanya user yang diundang yang bisa masuk, dan yang lain tidak melihatnya",
    ),
    (
        "Who may post: all members, or only moderators and owners",
        "Siapa yang boleh menulis: semua anggota, atau hanya moderator dan pemilik",
    ),
    (
        "What a new member can read: all messages, or those from joining on",
        "Yang bisa dibaca anggota baru: semua pesan, atau yang sejak ia masuk",
    ),
    (
        "Only rooms that you are in or invited to",
        "Hanya ruang yang kamu masuki, atau kamu diundang ke sana",
    ),
    (
        "Make this member an owner before: the last owner must name another",
        "Lebih dulu jadikan anggota ini pemilik: pemilik terakhir harus menyebut penggantinya",
    ),
    (
        "The users to invite, separated by commas or spaces",
        "User yang diundang, dipisah koma atau spasi",
    ),
    ("The member to remove", "Anggota yang dikeluarkan"),
    (
        "What it is about; '' for nothing. For moderators and owners",
        "Tentang apa; '' untuk mengosongkan. Untuk moderator dan pemilik",
    ),
    (
        "Only invited users can join it, and nobody else sees it. For owners",
        "Hanya user yang diundang yang bisa masuk, dan yang lain tidak melihatnya. Untuk pemilik",
    ),
    (
        "Anybody can see and join it. For owners",
        "Siapa saja bisa melihat dan memasukinya. Untuk pemilik",
    ),
    (
        "Who may post: all members, or only moderators and owners. For owners",
        "Siapa yang boleh menulis: semua anggota, atau hanya moderator dan pemilik. Untuk pemilik",
    ),
    (
        "What a new member can read: all messages, or those from joining on. For owners",
        "Yang bisa dibaca anggota baru: semua pesan, atau yang sejak ia masuk. Untuk pemilik",
    ),
    ("Make this member an owner. For owners", "Jadikan anggota ini pemilik. Untuk pemilik"),
    ("Make this member a moderator. For owners", "Jadikan anggota ini moderator. Untuk pemilik"),
    (
        "Make this member one without a special role. For owners",
        "Jadikan anggota ini anggota biasa. Untuk pemilik",
    ),
    (
        "Which messages count as unread for you and are shown as they arrive: all, those that mention you (@neko), or none",
        "Pesan mana yang terhitung belum dibaca dan tampil begitu masuk: semua, yang menyebutmu (@neko), atau tidak ada",
    ),
    ("Open it again", "Buka lagi"),
    // revoke
    (
        "The session with this id; `sessions` lists them",
        "Sesi dengan id ini: `sessions` menampilkannya",
    ),
    ("All sessions but the one in use", "Semua kecuali yang sedang dipakai"),
    // TLS
    (
        "For chats://: trust the authorities in this PEM file instead of the system's",
        "Untuk chats://: percayai yang ditandatangani otoritas dalam berkas PEM ini, bukan milik sistem",
    ),
    (
        "Show the certificate of a server that speaks TLS, and pin it",
        "Tampilkan sertifikat server yang memakai TLS, lalu sematkan",
    ),
    (
        "The server; without it, the one of --server. The default port is 8890",
        "Server yang dimaksud; yang dari --server jika tidak disebut. Port-nya 8890 jika tidak diberikan",
    ),
    (
        "Pin the certificate without asking, if this is its fingerprint",
        "Sematkan sertifikatnya tanpa bertanya, jika ini sidik jarinya",
    ),
    (
        "Show every pinned certificate; exit code 1 if there are none",
        "Tampilkan semua sertifikat yang disematkan; kode keluar 1 jika tidak ada",
    ),
    ("Remove the pin of the server", "Lupakan sertifikat yang disematkan untuk server itu"),
];

texts! {
    examples {
        en: "\
Examples:
  chat-cli                            the prompt; `help` there lists its commands
  chat-cli auth paff                  log in (asks for the password), then:
  chat-cli send neko hai neko         send a message
  make 2>&1 | chat-cli send neko      send the output of a program
  chat-cli inbox                      read unread messages
  chat-cli watch                      see messages as they arrive
  chat-cli watch --as worker --exec ./handle.sh
                                      handle each message, once
  chat-cli ask neko 'shall I?'        wait for an answer
  chat-cli unread >/dev/null && echo there is mail
  chat-cli logout
  printf 'auth paff cytus\\ninbox\\n' | chat-cli
                                      the seed's session, as a script

Environment:
  CHAT_SERVER   the server's address, as --server
  CHAT_USER     the user to act as, as --user
  CHAT_PROFILE  the profile to use, as --profile
  CHAT_TOKEN    the session or access token to use, instead of the session that `auth` stored
  CHAT_LANG     the language: en or id, as --lang
  NO_COLOR      no colours, also on a terminal
  The session is stored in $XDG_STATE_HOME/chat or ~/.local/state/chat, one per server, or one per
  user if the user is set.

Without an option, a setting comes from the environment, else from the profile in use, else from the
top of $XDG_CONFIG_HOME/chat/config.toml or ~/.config/chat/config.toml: `chat-cli config show`.
",
        id: "\
Contoh:
  chat-cli                            prompt; `help` di sana menampilkan perintahnya
  chat-cli auth paff                  login (password ditanyakan), lalu:
  chat-cli send neko hai neko         kirim pesan
  make 2>&1 | chat-cli send neko      kirim keluaran sebuah program
  chat-cli inbox                      baca pesan yang masuk
  chat-cli watch                      lihat pesan begitu masuk
  chat-cli watch --as worker --exec ./handle.sh
                                      setiap pesan ditangani, satu kali
  chat-cli ask neko 'boleh?'          tunggu jawaban
  chat-cli unread >/dev/null && echo ada pesan
  chat-cli logout
  printf 'auth paff cytus\\ninbox\\n' | chat-cli
                                      sesi seperti klien aslinya, sebagai skrip

Environment:
  CHAT_SERVER   alamat server, seperti --server
  CHAT_USER     siapa kamu di sana, seperti --user
  CHAT_PROFILE  profil yang dipakai, seperti --profile
  CHAT_TOKEN    sesi atau token akses yang dipakai, bukan sesi yang disimpan oleh `auth`
  CHAT_LANG     bahasa: en atau id, seperti --lang
  NO_COLOR      tanpa warna, juga di terminal
  Sesi disimpan di $XDG_STATE_HOME/chat atau ~/.local/state/chat, satu per server, atau satu per user
  jika user diatur.

Yang tidak disebut oleh opsi berasal dari environment, lalu dari profil yang dipakai, lalu dari bagian
atas $XDG_CONFIG_HOME/chat/config.toml atau ~/.config/chat/config.toml: `chat-cli config show`.
",
    }
    config_init_examples {
        en: "\
Examples:
  chat-cli config init                                    asks, tries the server, offers to log in
  chat-cli --server chat.example.org:8889 --user ivy config init
  chat-cli --profile work --server 10.0.0.5:8889 config init
                                                          adds [profile.work] to the file",
        id: "\
Contoh:
  chat-cli config init                                    bertanya, mencoba server, menawarkan login
  chat-cli --server chat.example.org:8889 --user ivy config init
  chat-cli --profile work --server 10.0.0.5:8889 config init
                                                          menambahkan [profile.work] ke file itu",
    }
    join_examples {
        en: "\
Examples:
  chat-cli join https://chat.example/#/join/ci_…       asks for a name and a password
  chat-cli join ci_… mia --server h:8889 < password    for scripts

The server is the one that is set, else the host of the link at the default port. The same command
again, with the same name and password, ends as the first one did.",
        id: "\
Contoh:
  chat-cli join https://chat.example/#/join/ci_…       nama dan password ditanyakan
  chat-cli join ci_… mia --server h:8889 < password    untuk skrip

Servernya yang sudah diatur, atau host di tautan pada port bawaan. Perintah yang sama sekali lagi,
dengan nama dan password yang sama, berakhir seperti yang pertama.",
    }
    auth_examples {
        en: "\
Examples:
  chat-cli auth paff                        asks for the password, without echo
  chat-cli auth paff < password-file        for scripts
  CHAT_TOKEN=$(chat-cli auth paff < password-file | sed 's/.*token //')

Prints `username paff logged in`, followed by the token if standard output is not a terminal. The
session is stored in $XDG_STATE_HOME/chat or ~/.local/state/chat, one per server, for you alone.",
        id: "\
Contoh:
  chat-cli auth paff                        password ditanyakan, tanpa ditampilkan
  chat-cli auth paff < file-password        untuk skrip
  CHAT_TOKEN=$(chat-cli auth paff < file-password | sed 's/.*token //')

Mencetak `user paff sudah login`, dan tokennya sesudah itu jika standard output bukan terminal. Sesi
disimpan di $XDG_STATE_HOME/chat atau ~/.local/state/chat, satu per server, hanya untukmu.",
    }
    send_examples {
        en: "\
Examples:
  chat-cli send neko hai neko
  chat-cli send neko,robo the build is done
  chat-cli send '#build' done                to a room, quoted: a shell takes # for a comment
  chat-cli send --room build done            the same
  chat-cli send @all maintenance at 17:00    to everybody, if an operator lets you
  chat-cli send neko -- --not-an-option
  chat-cli send neko < letter.txt            several lines, kept exactly
  chat-cli send neko -F letter.txt           the same
  tail -f log | chat-cli send neko --lines   each line a message, as it arrives
  chat-cli send neko --lines --id night-7 -F report.txt
                                             run it twice: each line is sent once
  chat-cli send --at 17:00 neko time to go   later: `chat-cli scheduled` shows it
  chat-cli send --expires 1d neko cake here  after a day it is unread for nobody
  chat-cli send --done neko -- make -j8      neko learns how make ended, with its last lines
  chat-cli send --done-pid 1234 neko         the same of a process that runs already
  chat-cli send --wait-read 60s neko hai     ends with 0 once neko has read it, after 60 s with 1

With --done, the exit code is that of the command: 127 if there is none, 126 if it cannot be run, and
128 more than the number of a signal that ended it. If the message cannot be sent, standard error
says why, and the exit code is still the command's.

If the connection breaks, the message is sent again with the same id until --timeout is over, so it
is stored once. If there is no answer by then, the exit code is 75 and the error names the id. Send
the same text with --id ID later: this sends it if it was not stored.

With --lines, line 12 has the id ID-12, so the same input with the same ID resumes where it stopped.
ID has at most 52 characters then. A line that is refused ends it.",
        id: "\
Contoh:
  chat-cli send neko hai neko
  chat-cli send neko,robo build sudah selesai
  chat-cli send '#build' selesai             ke ruang, dengan tanda kutip: bagi shell # itu komentar
  chat-cli send --room build selesai         sama saja
  chat-cli send @all perawatan pukul 17:00   ke semua orang, jika operator mengizinkan
  chat-cli send neko -- --bukan-opsi
  chat-cli send neko < surat.txt             beberapa baris, persis apa adanya
  chat-cli send neko -F surat.txt            sama saja
  tail -f log | chat-cli send neko --lines   setiap baris satu pesan, begitu datang
  chat-cli send neko --lines --id malam-7 -F laporan.txt
                                             dijalankan dua kali: tiap baris terkirim sekali
  chat-cli send --at 17:00 neko ayo pulang   nanti: `chat-cli scheduled` menampilkannya
  chat-cli send --expires 1d neko ada kue    setelah sehari tidak dihitung belum dibaca lagi
  chat-cli send --done neko -- make -j8      neko tahu bagaimana make berakhir, dan baris akhirnya
  chat-cli send --done-pid 1234 neko         sama, untuk proses yang sudah berjalan
  chat-cli send --wait-read 60s neko hai     0 begitu neko membacanya, 1 setelah 60 detik

Dengan --done, kode keluarnya adalah milik perintah itu: 127 jika tidak ada, 126 jika tidak bisa
dijalankan, dan 128 ditambah nomor sinyal yang mengakhirinya. Jika pesannya tidak bisa dikirim,
standard error menyebut sebabnya, dan kode keluarnya tetap milik perintah itu.

Jika koneksi putus, pengiriman dicoba lagi dengan id yang sama sampai --timeout habis, sehingga pesan
disimpan satu kali. Jika sampai saat itu belum ada jawaban, kode keluarnya 75 dan id-nya disebut:
mengirim teks yang sama dengan --id ID nanti akan memastikan, dan mengirimnya jika belum terkirim.

Dengan --lines, baris 12 memakai id ID-12, sehingga masukan yang sama dengan ID yang sama berlanjut
dari tempat berhentinya. ID paling panjang 52 karakter. Baris yang ditolak menghentikannya.",
    }
    inbox_examples {
        en: "\
On a terminal: time, sender and text in columns; characters that could act on the terminal are shown
as escapes such as \\x1b. With --json, one object per message. Anywhere else, one line of JSON as the
seed's client prints it:
  {\"paff\": [{\"msg\": \"hai neko\"}], \"#build\": [{\"msg\": \"done\", \"from\": \"robo\"}]}
({} if there is nothing; more than one line only for more than 64 MiB). Messages count as read when
they have been written, so nothing is lost if the reader of the output goes away. With --from,
--room, --tag or --min-priority they count as read in each conversation up to its first unread
message that is left out.

Examples:
  chat-cli inbox
  chat-cli inbox | jq -r '.paff[].msg'
  chat-cli inbox --json | jq -r '[.at, .from, .body] | @tsv'
  chat-cli inbox --peek -n 5                 the oldest five; they stay unread
  chat-cli inbox --from paff
  chat-cli inbox --room build
  chat-cli inbox --raw >> messages.txt",
        id: "\
Di terminal: waktu, pengirim, dan teks dalam kolom; yang bisa mengacaukan terminal ditampilkan
sebagai escape seperti \\x1b. Dengan --json satu objek per pesan. Selain itu, satu baris JSON seperti
yang dicetak klien aslinya:
  {\"paff\": [{\"msg\": \"hai neko\"}], \"#build\": [{\"msg\": \"selesai\", \"from\": \"robo\"}]}
({} jika tidak ada; lebih dari satu baris hanya jika lebih dari 64 MiB). Pesan terhitung sudah dibaca
setelah selesai ditulis, jadi tidak ada yang hilang jika pembaca keluarannya pergi. Dengan --from,
--room, --tag atau --min-priority, di setiap percakapan hanya sampai pesan pertama yang belum dibaca
dan tidak ditampilkan.

Contoh:
  chat-cli inbox
  chat-cli inbox | jq -r '.paff[].msg'
  chat-cli inbox --json | jq -r '[.at, .from, .body] | @tsv'
  chat-cli inbox --peek -n 5                 lima yang terlama, tetap belum dibaca
  chat-cli inbox --from paff
  chat-cli inbox --room build
  chat-cli inbox --raw >> pesan.txt",
    }
    history_examples {
        en: "\
On a terminal: time, room, sender and text in columns. Anywhere else one line per message: time,
sender and text separated by tabs, a line end in the text as \\n; or --json, or --raw. The room of a
message stands before its sender: `#build paff`. Exit code 1 if there is nothing.

Examples:
  chat-cli history                           the last 20 received messages
  chat-cli history paff -n 100               the conversation with paff
  chat-cli history --room build              the room #build; also: history '#build'
  chat-cli history paff -n 1 --raw           the last message, exactly",
        id: "\
Di terminal: waktu, ruang, pengirim, dan teks dalam kolom. Selain itu satu baris per pesan: waktu,
pengirim, dan teks dipisah tab, ganti baris di dalam teks menjadi \\n; atau --json, atau --raw. Ruang
ditulis sebelum pengirimnya: `#build paff`. Kode keluar 1 jika tidak ada apa-apa.

Contoh:
  chat-cli history                           20 pesan terakhir yang masuk
  chat-cli history paff -n 100               percakapan dengan paff
  chat-cli history --room build              ruang #build; juga: history '#build'
  chat-cli history paff -n 1 --raw           kata terakhir, persis",
    }
    search_examples {
        en: "\
Finds the messages that you may read, the newest first. Case and accents make no
difference. On a terminal the words are marked. Anywhere else one line per message: id, time, sender,
recipient and text, separated by tabs; or --json, which says in `matches` where the words are. Exit
code 1 if nothing is found. A date is its first moment in UTC.

Examples:
  chat-cli search build failed
  chat-cli search '\"build failed\" from:robo after:2026-11-01'
  chat-cli search 'deploy* -staging tag:ci'
  chat-cli search -n 1 --json rollback | jq .id
  chat-cli history robo --around 17          a message in its place",
        id: "\
Mencari pesan yang boleh kamu baca, yang terbaru dulu. Huruf besar dan aksen tidak
dibedakan. Di terminal kata-katanya ditandai. Selain itu satu baris per pesan: id, waktu, pengirim,
penerima, dan teks, dipisah tab; atau --json, dengan letak kata-katanya di `matches`. Kode keluar 1
jika tidak ada yang ditemukan. Tanggal berarti saat pertamanya dalam UTC.

Contoh:
  chat-cli search build gagal
  chat-cli search '\"build gagal\" from:robo after:2026-11-01'
  chat-cli search 'deploy* -staging tag:ci'
  chat-cli search -n 1 --json rollback | jq .id
  chat-cli history robo --around 17          sebuah pesan di tempatnya",
    }
    conversations_examples {
        en: "\
Lists the rooms that you can read and the users who have written to you, by their newest message. On
a terminal: how many messages are unread and how many mention you (3 @1), the name, the time and the
beginning of that message. Anywhere else one line per conversation: name, unread, mentions, id, time,
sender and text, separated by tabs; or --json. Changes nothing.

Examples:
  chat-cli conversations
  chat-cli conversations -n 5
  chat-cli conversations --json | jq -r 'select(.mentions > 0) | .room'",
        id: "\
Menampilkan ruang yang bisa kamu baca dan user yang pernah menulis kepadamu, menurut pesan terbarunya.
Di terminal: berapa pesan yang belum dibaca dan berapa yang menyebutmu (3 @1), nama, waktu, dan awal
pesan itu. Selain itu satu baris per percakapan: nama, belum dibaca, penyebutan, id, waktu, pengirim,
dan teks, dipisah tab; atau --json. Tidak mengubah apa pun.

Contoh:
  chat-cli conversations
  chat-cli conversations -n 5
  chat-cli conversations --json | jq -r 'select(.mentions > 0) | .room'",
    }
    ack_examples {
        en: "\
Examples:
  chat-cli ack 42                            messages up to 42 count as read
  chat-cli ack --all
  chat-cli ack --all --with neko             only those from neko
  chat-cli ack 42 --room build               only those to #build
  chat-cli ack 0 --rewind                    everything is unread again
  chat-cli ack --all --as worker             `watch --as worker` begins with the next message",
        id: "\
Contoh:
  chat-cli ack 42                            pesan sampai 42 terhitung sudah dibaca
  chat-cli ack --all
  chat-cli ack --all --with neko             hanya yang dari neko
  chat-cli ack 42 --room build               hanya yang ke #build
  chat-cli ack 0 --rewind                    semua menjadi belum dibaca lagi
  chat-cli ack --all --as worker             `watch --as worker` mulai dari yang berikutnya",
    }
    receipts_examples {
        en: "\
Names the users who have read a message that you have sent, one a line: its recipient, or in a room
those who were members when you sent it. Read is what counts as read for them: shown by `inbox` or at
the prompt, or marked by `ack`. What somebody has muted does not count. A user with receipts off never
appears. Exit code 1 if nobody has read it.

Examples:
  chat-cli receipts 42
  chat-cli receipts --json 42 | jq '.readers | length'
  chat-cli receipts off                      for all of your messages, in both directions
  chat-cli send --wait-read 60s neko 'the disk of db1 is full' || chat-cli send ivy 'call neko'",
        id: "\
Menyebut user yang sudah membaca pesan yang kamu kirim, satu per baris: penerimanya, atau di ruang
mereka yang menjadi anggota saat kamu mengirimnya. Terbaca berarti terhitung sudah dibaca bagi mereka:
ditampilkan `inbox` atau prompt, atau ditandai `ack`. Yang dibisukan tidak terhitung. User yang
mematikan tanda terima tidak pernah muncul. Kode keluar 1 jika belum ada yang membacanya.

Contoh:
  chat-cli receipts 42
  chat-cli receipts --json 42 | jq '.readers | length'
  chat-cli receipts off                      untuk semua pesanmu, ke dua arah
  chat-cli send --wait-read 60s neko 'disk db1 penuh' || chat-cli send ivy 'telepon neko'",
    }
    who_examples {
        en: "\
A line for each user who has a connection to this server or a stream from it: name, since when, and
status. On a terminal in columns, with your own name in parentheses if you are invisible; anywhere
else separated by tabs. `list` shows who is logged in, connected or not.

Examples:
  chat-cli who
  chat-cli who --json | jq -r .user",
        id: "\
Satu baris untuk setiap user yang punya koneksi ke server ini atau stream darinya: nama, sejak kapan,
dan sedang apa. Di terminal dalam kolom, dengan namamu dalam kurung jika kamu tak terlihat; selain itu
dipisah tab. `list` menampilkan siapa yang login, tersambung atau tidak.

Contoh:
  chat-cli who
  chat-cli who --json | jq -r .user",
    }
    block_examples {
        en: "\
Messages that a blocked user sends to you are refused. In rooms you do not see what they write: not
as it arrives, nor in history or search. Messages that you have from them stay. `unblock` shows
everything again. Without a user: a name and a time a line; exit code 1 if you block nobody.

Examples:
  chat-cli block robo
  chat-cli block
  chat-cli unblock robo",
        id: "\
Pesan yang dikirim user yang diblokir kepadamu ditolak. Di ruang kamu tidak melihat tulisannya: tidak
saat masuk, tidak dalam riwayat atau pencarian. Pesan darinya yang sudah kamu punya tetap ada.
`unblock` menampilkan semuanya lagi. Tanpa user: satu nama dan waktu per baris; kode keluar 1 jika
kamu tidak memblokir siapa pun.

Contoh:
  chat-cli block robo
  chat-cli block
  chat-cli unblock robo",
    }
    status_examples {
        en: "\
Examples:
  chat-cli status at lunch
  chat-cli status --clear
  chat-cli status --invisible                `who` shows you to nobody but yourself",
        id: "\
Contoh:
  chat-cli status makan siang
  chat-cli status --clear
  chat-cli status --invisible                `who` hanya menampilkanmu kepada dirimu sendiri",
    }
    watch_examples {
        en: "\
Shows unread messages and then each message as it arrives: in columns on a terminal; anywhere else
one line per message (time, sender and text separated by tabs, a line end in the text as \\n, the
room before the sender: `#build paff`); or --json, or --raw. It reconnects when the connection
breaks or is silent for 90 s. No message is lost or shown twice.

With --as NAME the server remembers the position. It moves when a message has been written, or when
the command of --exec has ended with 0; without --as nothing is marked as read.

Examples:
  chat-cli watch
  chat-cli watch --as log >> messages.txt    stop it and start it again: nothing is missing
  chat-cli watch --since 2h --exit-at-end    the messages of the last two hours
  chat-cli watch --since new -n 1 --timeout 5m
                                             wait for the next message; exit code 1 if none comes
  chat-cli watch --notify --min-priority high
  chat-cli watch --json --events | jq --unbuffered .

  chat-cli watch --as worker --exec ./handle.sh
      ./handle.sh gets {\"v\": 1, \"id\": 7, \"at\": …, \"from\": \"paff\", \"to\": …, \"body\": …} on its
      standard input. If it fails it is run again, --max-tries times in all, with longer and longer
      pauses. Then the message becomes a dead letter, and the next message follows. A message may be
      handled twice if this program is killed meanwhile; CHAT_ID is the same then.
  chat-cli watch --as worker --dead          the messages that could not be handled
  chat-cli watch --as worker --dead --clear  show and remove them",
        id: "\
Menampilkan yang belum dibaca, lalu setiap pesan begitu masuk: dalam kolom di terminal; selain itu
satu baris per pesan (waktu, pengirim, dan teks dipisah tab, ganti baris di dalam teks menjadi \\n,
ruang sebelum pengirimnya: `#build paff`); atau --json, atau --raw. Koneksi yang putus, dan yang
diam selama 90 s, dibuka lagi, tanpa ada pesan yang hilang atau tampil dua kali.

Dengan --as NAME, posisinya diingat di server. Posisi maju setelah pesan ditulis, atau setelah
perintah --exec berakhir dengan 0; tanpa --as tidak ada yang ditandai sudah dibaca.

Contoh:
  chat-cli watch
  chat-cli watch --as log >> pesan.txt       hentikan dan mulai lagi: tidak ada yang hilang
  chat-cli watch --since 2h --exit-at-end    yang masuk dalam dua jam terakhir
  chat-cli watch --since new -n 1 --timeout 5m
                                             tunggu pesan berikutnya; kode keluar 1 jika tidak ada
  chat-cli watch --notify --min-priority high
  chat-cli watch --json --events | jq --unbuffered .

  chat-cli watch --as worker --exec ./handle.sh
      ./handle.sh mendapat {\"v\": 1, \"id\": 7, \"at\": …, \"from\": \"paff\", \"to\": …, \"body\": …} di
      standard input-nya. Jika gagal, dijalankan lagi, seluruhnya --max-tries kali, dengan jeda makin
      panjang; setelah itu pesannya menjadi dead letter dan giliran yang berikutnya. Satu pesan bisa
      ditangani dua kali, jika program ini dimatikan di antaranya; CHAT_ID-nya tetap sama.
  chat-cli watch --as worker --dead          pesan yang tidak bisa ditangani
  chat-cli watch --as worker --dead --clear  tampilkan, lalu lupakan",
    }
    scheduled_examples {
        en: "\
A message is sent once, also when the server was down at its time; then it says that it came late.
If you may no longer send it then, you get it back with the reason.

Examples:
  chat-cli send --at 17:00 neko 'time to go'
  chat-cli send --in 2h '#build' 'the freeze is over'
  chat-cli scheduled                    number, time, recipients and text of each
  chat-cli scheduled cancel 12",
        id: "\
Pesan dikirim satu kali, juga ketika server mati pada waktunya; lalu pesannya berkata terlambat. Jika
saat itu kamu tidak boleh lagi mengirimnya, pesannya kembali kepadamu dengan alasannya.

Contoh:
  chat-cli send --at 17:00 neko 'saatnya pulang'
  chat-cli send --in 2h '#build' 'freeze sudah selesai'
  chat-cli scheduled                    nomor, waktu, penerima, dan teks masing-masing
  chat-cli scheduled cancel 12",
    }
    expect_examples {
        en: "\
If no report comes in time, the user of --tell gets one message, and one more when reports are back.
A failed report is told at once. The server remembers it over a restart.

Examples:
  chat-cli expect backup --every 1d --grace 1h --tell neko
  ./backup && chat-cli report backup
  chat-cli expect list                  state, next deadline and last report of each
  chat-cli expect remove backup",
        id: "\
Jika laporan tidak datang tepat waktu, user pada --tell mendapat satu pesan, dan satu lagi ketika
laporan datang kembali. Laporan gagal langsung diberitahukan. Server mengingatnya setelah mulai lagi.

Contoh:
  chat-cli expect backup --every 1d --grace 1h --tell neko
  ./backup && chat-cli report backup
  chat-cli expect list                  keadaan, batas waktu, dan laporan terakhir masing-masing
  chat-cli expect remove backup",
    }
    report_examples {
        en: "\
Examples:
  ./backup && chat-cli report backup
  ./backup; chat-cli report backup --exit-code $?
  ./backup >log 2>&1 || tail log | chat-cli report backup --fail -
  chat-cli report backup --start",
        id: "\
Contoh:
  ./backup && chat-cli report backup
  ./backup; chat-cli report backup --exit-code $?
  ./backup >log 2>&1 || tail log | chat-cli report backup --fail -
  chat-cli report backup --start",
    }
    token_create_examples {
        en: "\
The token stands in CHAT_TOKEN, or behind `Authorization: Bearer` over HTTP. The server stores its
SHA-256 only. A token may not change your password, and not make or revoke tokens.

Examples:
  chat-cli token create ci --to neko,'#build' --expires 90d
  CHAT_TOKEN=ct_... chat-cli send neko build 417 is done
  chat-cli token list                   rights, targets, end and last use of each
  chat-cli token revoke ci
  chat-cli token create grafana --can hook --to '#ops'    for Grafana: see docs/http.md",
        id: "\
Token dipakai di CHAT_TOKEN, atau setelah `Authorization: Bearer` lewat HTTP. Server hanya menyimpan
SHA-256-nya. Token tidak boleh mengganti passwordmu, dan tidak boleh membuat atau mencabut token.

Contoh:
  chat-cli token create ci --to neko,'#build' --expires 90d
  CHAT_TOKEN=ct_... chat-cli send neko build 417 is done
  chat-cli token list                   hak, tujuan, akhir, dan pemakaian terakhir masing-masing
  chat-cli token revoke ci
  chat-cli token create grafana --can hook --to '#ops'    untuk Grafana: lihat docs/http.md",
    }
    mcp_examples {
        en: "\
An agent starts this command and calls its tools: send, reply, ask, answer, inbox, wait, ack,
conversations, history and search. It acts as the user of the stored session, or of --user. The
server proves the sender of each message. A tool that fails returns an error with a code and a hint;
the next call connects again.

Examples:
  chat-cli --user robo auth robo            log in once, as the user of the agent
  {\"mcpServers\": {\"chat\": {\"command\": \"chat-cli\", \"args\": [\"--user\", \"robo\", \"mcp\"]}}}",
        id: "\
Sebuah agen menjalankan perintah ini dan memanggil alatnya: send, reply, ask, answer, inbox, wait,
ack, conversations, history, dan search. Agen bertindak sebagai user dari sesi yang tersimpan, atau
dari --user. Server membuktikan pengirim setiap pesan. Alat yang gagal mengembalikan kesalahan
dengan kode dan saran; panggilan berikutnya menyambung lagi.

Contoh:
  chat-cli --user robo auth robo            masuk sekali, sebagai user si agen
  {\"mcpServers\": {\"chat\": {\"command\": \"chat-cli\", \"args\": [\"--user\", \"robo\", \"mcp\"]}}}",
    }
    edit_examples {
        en: "\
Everybody who may read the message finds the new text. `delete MESSAGE` removes it.

Examples:
  chat-cli edit 17 'build 417: passed'
  chat-cli history --raw-log ivy     the texts before, too",
        id: "\
Semua yang boleh membaca pesannya menemukan teks yang baru. `delete MESSAGE` menghapusnya.

Contoh:
  chat-cli edit 17 'build 417: lulus'
  chat-cli history --raw-log ivy     juga teks-teks sebelumnya",
    }
    reply_examples {
        en: "\
Examples:
  chat-cli reply 17 yes
  chat-cli history --thread 17       what was said to it",
        id: "\
Contoh:
  chat-cli reply 17 ya
  chat-cli history --thread 17       apa saja jawabannya",
    }

    ask_examples {
        en: "\
The answer is the reply of that user to the question, or their next message if no other question of
yours to them is open. In a room it is the first reply of another member: a message that is no reply
never counts. Only its text is printed; in a room, standard error says whose it is. It counts as read
if no earlier message there is unread. Exit code 1 if none came within --timeout (60s), 73 if you
left the room meanwhile, or it was archived.

Examples:
  chat-cli ask --room build --choice yes,no 'deploy?'
  chat-cli ask '#build' --from ivy,neko 'who is on call?'
  chat-cli ask --choice deploy,abort neko 'go?' && ./deploy
  chat-cli ask neko 'deploy to production? (yes/no)' --timeout 10m
  answer=$(chat-cli ask --timeout 10m neko shall I deploy) && [ \"$answer\" = yes ] && ./deploy",
        id: "\
Jawabannya adalah balasan user itu untuk pertanyaannya, atau pesan berikutnya jika tidak ada
pertanyaanmu yang lain untuknya. Di ruang: balasan pertama anggota lain; pesan yang bukan balasan
tidak pernah dihitung. Hanya teksnya yang dicetak; di ruang, standard error menyebut siapa yang
menjawab. Jawaban terhitung sudah dibaca jika tidak ada pesan sebelumnya di sana yang belum dibaca.
Kode keluar 1 jika tidak ada yang datang dalam --timeout (60s), 73 jika kamu keluar dari ruangnya
atau ruangnya diarsipkan.

Contoh:
  chat-cli ask --room build --choice ya,tidak 'deploy?'
  chat-cli ask '#build' --from ivy,neko 'siapa yang jaga?'
  chat-cli ask --choice deploy,batal neko 'jadi?' && ./deploy
  chat-cli ask neko 'deploy ke produksi? (ya/tidak)' --timeout 10m
  jawab=$(chat-cli ask --timeout 10m neko boleh deploy) && [ \"$jawab\" = ya ] && ./deploy",
    }

    trust_examples {
        en: "\
Connects and shows the certificate: its fingerprint, its names, and whether the authorities trust it.
Then asks whether to pin it. With a pin, every other certificate is refused, even one that the
authorities trust. A pinned certificate may be expired or for another name.

Examples:
  chat-cli trust chat.example.org            shows it and asks
  chat-cli trust chat.example.org:8890 --fingerprint SHA256:AB:CD...
                                             for scripts: pins it if it is this one
  chat-cli trust --list
  chat-cli trust chat.example.org --remove",
        id: "\
Menyambung, menampilkan sertifikat beserta sidik jarinya, untuk siapa, dan apakah otoritas
memercayainya, lalu bertanya apakah disematkan. Hanya yang disematkan yang dipercaya: sertifikat lain
ditolak, juga yang dipercaya otoritas. Sertifikat yang disematkan boleh kedaluwarsa atau untuk nama lain.

Contoh:
  chat-cli trust chat.example.org            menampilkan dan bertanya
  chat-cli trust chat.example.org:8890 --fingerprint SHA256:AB:CD...
                                             untuk skrip: disematkan jika memang yang ini
  chat-cli trust --list
  chat-cli trust chat.example.org --remove",
    }
}
