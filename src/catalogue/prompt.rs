//! The texts of the prompt of `chat-cli`.

texts! {
    banner {
        en: "\
Welcome to Chat CLI
Use the commands as they are written:
1. auth 'username' 'password' -> log in with your username and password
2. list -> see who is logged in
3. send 'recipient' 'message' -> send a message to the recipient
4. inbox -> see your messages
5. logout -> log out
",
        seed: "\
Welcome to Chat CLI
Silahkan menggunakan command yang tertulis:
1. auth 'username' 'password' -> login dengan username dan password masing masing
2. list -> untuk melihat daftar user yang aktif
3. send 'penerima' 'pesan' -> untuk mengirim pesan ke penerima yang dituju
4. inbox -> untuk melihat pesan
5. logout -> untuk melogout user
",
    }
    welcome {
        en: "\
Welcome to Chat CLI
auth USER         log in
list              see who is logged in
send USER TEXT    send a message
inbox             see your messages
logout            log out
`help` lists all commands, Tab completes what you type, Ctrl-D leaves.
",
        id: "\
Selamat datang di Chat CLI
auth USER         login
list              lihat siapa yang sedang login
send USER TEXT    kirim pesan
inbox             lihat pesanmu
logout            logout
`help` menampilkan semua command, Tab melengkapi ketikan, Ctrl-D keluar.
",
    }
    command(user) { en: "Command {user}:", id: "Command {user}:" }
    command_with_unread(user, unread) {
        en: "Command {user} ({unread}):",
        id: "Command {user} ({unread}):",
    }
    incomplete {
        en: "-Sorry, something is missing in this command: type help",
        seed: "-Maaf, command tidak benar",
    }
    unknown {
        en: "*Sorry, there is no such command: type help",
        seed: "*Maaf, command tidak benar",
    }
    unknown_but(verb) {
        en: "*Sorry, there is no such command: did you mean `{verb}`?",
        id: "*Maaf, command itu tidak ada: maksudnya `{verb}`?",
    }
    surplus {
        en: "-Sorry, there are too many words in this command: type help",
        id: "-Maaf, terlalu banyak kata di command ini: ketik help",
    }
    passwd_with_words {
        en: "-Sorry, type `passwd` alone: it asks for the passwords and does not show them",
        id: "-Maaf, ketik `passwd` saja: passwordnya ditanyakan dan tidak ditampilkan",
    }
    name_question { en: "User: ", id: "Nama user: " }
    text_goes_to(names) {
        en: "text without a verb goes to {names} now; `to` alone ends that",
        id: "sekarang yang kamu ketik dikirim ke {names}; `to` saja mengakhirinya",
    }
    text_goes_nowhere {
        en: "text without a verb goes to nobody now",
        id: "yang kamu ketik tidak dikirim ke siapa pun lagi",
    }
    nobody_to_reply_to {
        en: "there is no message to reply to",
        id: "belum ada pesan yang bisa dibalas",
    }
    question_sent(id, to) {
        en: "question {id} sent to {to}",
        id: "pertanyaan {id} terkirim ke {to}",
    }
    no_open_question {
        en: "no question to you is open",
        id: "tidak ada pertanyaan untukmu yang menunggu jawaban",
    }
    answer_is_none_of(offered) {
        en: "that is none of the offered answers: {offered}",
        id: "itu bukan salah satu jawaban yang ditawarkan: {offered}",
    }
    several_questions {
        en: "several questions are open: answer one with `reply ID TEXT`",
        id: "ada beberapa pertanyaan: jawab salah satu dengan `reply ID TEXT`",
    }
    bell_is_on { en: "the bell is on", id: "bel menyala" }
    bell_is_off { en: "the bell is off", id: "bel mati" }
    one_unread { en: "1 unread message, type inbox", id: "1 pesan belum dibaca, ketik inbox" }
    unread(count) {
        en: "{count} unread messages, type inbox",
        id: "{count} pesan belum dibaca, ketik inbox",
    }
    login_not_kept {
        en: "this login ends when you leave",
        id: "login ini berakhir saat kamu keluar",
    }
    not_live(error) {
        en: "error: messages cannot be shown as they arrive: {error}",
        id: "error: pesan tidak ditampilkan begitu datang: {error}",
    }
    no_longer_live(error) {
        en: "error: {error}: messages are no longer shown as they arrive",
        id: "error: {error}: pesan tidak lagi ditampilkan begitu datang",
    }
    connected { en: "connected", id: "tersambung" }
    connected_again { en: "connected again", id: "tersambung lagi" }
    connection_lost {
        en: "connection lost, reconnecting",
        id: "koneksi putus, menyambung lagi",
    }
    server_not_there {
        en: "the server cannot be reached yet, still trying",
        id: "server belum bisa dihubungi, masih dicoba",
    }
    session_ended {
        en: "the session was ended elsewhere, log in again with `auth USER`",
        id: "sesi diakhiri dari tempat lain, login lagi dengan `auth USER`",
    }
    terminal_unusable(error) {
        en: "the terminal is not usable: {error}",
        id: "terminalnya tidak bisa dipakai: {error}",
    }
    input_unreadable(error) {
        en: "cannot read standard input: {error}",
        id: "standard input tidak bisa dibaca: {error}",
    }
    trace_is_classic {
        en: "--trace is for the classic session",
        id: "--trace untuk sesi klasik",
    }
    trace_classic { en: "chat-cli --classic --trace", id: "chat-cli --classic --trace" }
    room_help {
        en: "\
room create ROOM         create a room; --private, --topic 'TWO WORDS'
room list                the rooms you can see; with --mine those you are in
room join ROOM           become a member
room leave ROOM          stop being one; the last owner adds --owner USER
room show ROOM           its settings, and what you are there
room members ROOM        who is in it
room invite ROOM USER    invite users
room kick ROOM USER      remove a member
room set ROOM OPTION…    change it; `room help set` lists the options
room archive ROOM        nobody posts there any more; --undo opens it again
ROOM is #build or build. Then `send #build TEXT`, `to #build`, `history #build`.
",
        id: "\
room create ROOM         buat ruang; --private, --topic 'DUA KATA'
room list                ruang yang kamu lihat; dengan --mine yang kamu masuki
room join ROOM           jadi anggota
room leave ROOM          keluar; pemilik terakhir menambahkan --owner USER
room show ROOM           pengaturannya, dan kamu sebagai apa di sana
room members ROOM        siapa anggotanya
room invite ROOM USER    undang user
room kick ROOM USER      keluarkan anggota
room set ROOM OPSI…      ubah; `room help set` menampilkan opsinya
room archive ROOM        tidak ada yang menulis lagi; --undo membukanya lagi
ROOM: #build atau build. Lalu `send #build TEXT`, `to #build`, `history #build`.
",
    }
    help {
        en: "\
auth USER [PASSWORD]   log in; asks for a missing PASSWORD and does not show it
auth --forget USER     log in until you leave: on a machine that is not yours
list                   who is logged in
users                  all users you can write to
who                    who is connected now, since when, and their status
status [TEXT]          your status; `-` removes it; --invisible, --visible
send USER TEXT         send a message, exactly once; also to #ROOM, or USER,USER
later WHEN USER TEXT   send it later: at 17:00, or in 2h
until WHEN USER TEXT   send it; unread for nobody after WHEN: 17:00, or 1d
scheduled [cancel ID]  what is sent later; or cancel one of them
room list              the rooms you can see; `room help` has all: create, join…
to USER                send text without a verb to USER; `to` alone ends that
reply TEXT             answer the last sender, or the room
reply ID TEXT          answer the message with this id
ask USER TEXT          ask USER, or #ROOM; `ask --choice yes,no` offers answers
answer TEXT            answer the only open question
edit ID TEXT           change a message of yours
delete ID              delete a message of yours, or in a room as its moderator
inbox                  show unread messages and mark them as read
history [USER|#ROOM]   the last received messages; with USER both ways
search WORDS           find messages: words, \"phrases\", begin*, from:USER, -not
conversations          who wrote, and rooms, newest first, with what is unread
unread                 how many unread messages there are, and from whom
receipts ID            who has read a message of yours; on | off for all
block [USER]           get nothing from USER; without USER: whom you block
unblock USER           end that
whoami                 who you are
passwd                 change the password; your other sessions end
sessions               your sessions
revoke ID | others     end one of your sessions, or all the others
bell on | off          ring when a message arrives
logout                 end the session
help                   this list
quit, exit, Ctrl-D     leave; you stay logged in until `logout`
Messages that arrive appear above the line you type. They count as read with
your next Enter, unless older ones wait in `inbox`: the prompt says how many.
Tab completes, Ctrl-C clears the line, Ctrl-R searches the lines you typed.
Pasted text stays one text, with its line ends, until you press Enter.
",
        id: "\
auth USER [PASSWORD]   login; tanpa PASSWORD, ditanyakan dan tidak ditampilkan
auth --forget USER     login sampai kamu keluar: di mesin yang bukan milikmu
list                   siapa yang sedang login
users                  semua yang bisa dikirimi pesan
who                    siapa yang tersambung, sejak kapan, sedang apa
status [TEXT]          katakan sedang apa; `-` menghapus; --invisible, --visible
send USER TEXT         kirim pesan, tepat satu kali; juga ke #RUANG, USER,USER
later KAPAN USER TEXT  kirim nanti: pada 17:00, atau dalam 2h
until KAPAN USER TEXT  kirim; lewat KAPAN (17:00, 1d) tidak lagi belum dibaca
scheduled [cancel ID]  yang dikirim nanti; atau batalkan
room list              ruang yang kamu lihat; `room help`: create, join, …
to USER                ketikan tanpa verb dikirim ke USER; `to` mengakhirinya
reply TEXT             balas siapa yang terakhir menulis, atau ruangnya
reply ID TEXT          jawab pesan dengan id ini
ask USER TEXT          tanya USER, atau #RUANG; `ask --choice ya,tidak`: pilihan
answer TEXT            jawab satu-satunya pertanyaan yang menunggu
edit ID TEXT           ganti teks pesanmu
delete ID              hapus pesanmu, atau pesan di ruang yang kamu moderatori
inbox                  tampilkan yang belum dibaca, lalu tandai sudah dibaca
history [USER|#RUANG]  pesan terakhir yang masuk; dengan USER dua arah
search KATA            cari pesan: kata, \"frasa\", awal*, from:USER, -bukan
conversations          siapa yang menulis dan ruang, dengan yang belum dibaca
unread                 berapa pesan yang belum dibaca, dan dari siapa
receipts ID            siapa yang sudah membaca pesanmu; on | off untuk semua
block [USER]           tidak menerima apa-apa dari USER; tanpa USER: daftarnya
unblock USER           akhiri itu
whoami                 siapa kamu
passwd                 ganti password; sesimu yang lain diakhiri
sessions               sesi-sesimu
revoke ID | others     akhiri salah satu sesimu, atau semua yang lain
bell on | off          berbunyi kalau ada pesan masuk
logout                 akhiri sesi
help                   daftar ini
quit, exit, Ctrl-D     keluar; kamu tetap login sampai `logout`
Pesan yang datang muncul di atas baris yang sedang diketik, dan terhitung sudah
dibaca saat kamu menekan Enter, kecuali masih ada yang lebih lama di `inbox`:
prompt menyebut jumlahnya. Tab melengkapi, Ctrl-C mengosongkan baris, Ctrl-R
mencari baris yang pernah diketik. Yang ditempel adalah satu teks, beserta
ganti barisnya, sampai kamu menekan Enter.
",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Language, speaking};

    #[test]
    fn first_words_and_help_fit_80_columns() {
        for language in [Language::English, Language::Indonesian] {
            let texts = speaking(language, || [welcome(), help(), room_help()]);
            for row in texts.iter().flat_map(|text| text.lines()) {
                assert!(row.chars().count() <= 80, "{row}");
            }
        }
    }
}
