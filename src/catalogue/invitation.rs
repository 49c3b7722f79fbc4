//! Invitations by link: what `chat-server invite` and `chat-cli join` print.

texts! {
    link_shown_once(at) {
        en: "the link works once, until {at}, and is not shown again",
        id: "tautan ini berlaku satu kali, sampai {at}, dan tidak ditampilkan lagi",
    }
    secret_instead_of_link {
        en: "without --http or --url there is no page to link to: \
             chat-cli join takes the secret alone",
        id: "tanpa --http atau --url tidak ada halaman untuk ditautkan: \
             chat-cli join menerima rahasianya saja",
    }
    page_has_no_address(given) {
        en: "nobody else can open the page at {given}",
        id: "orang lain tidak bisa membuka halaman di {given}",
    }
    give_page_address {
        en: "say where people open it: --url https://chat.example",
        id: "sebutkan di mana orang membukanya: --url https://chat.example",
    }
    give_page_url {
        en: "give the address of the page: https://chat.example",
        id: "isi alamat halamannya: https://chat.example",
    }
    give_invitation_life {
        en: "give whole seconds, at least 1s and at most 366d",
        id: "isi detik bulat, paling sedikit 1s dan paling banyak 366d",
    }
    give_invitation {
        en: "give the number of an invitation: `invite list` shows them",
        id: "isi nomor undangan: `invite list` menampilkannya",
    }
    too_many_rooms_of_invitation(max) {
        en: "--rooms: give at most {max} rooms",
        id: "--rooms: isi paling banyak {max} ruang",
    }
    invite_list_shows { en: "`invite list` shows them", id: "`invite list` menampilkannya" }
    revoke_invitations_first {
        en: "`invite revoke` ends those that nobody needs any more",
        id: "`invite revoke` mengakhiri yang tidak diperlukan lagi",
    }
    one_invitation_revoked { en: "1 invitation revoked", id: "1 undangan dicabut" }
    invitations_revoked(count) {
        en: "{count} invitations revoked",
        id: "{count} undangan dicabut",
    }
    title_invitation { en: "invitation", id: "undangan" }
    title_rooms { en: "rooms", id: "ruang" }
    title_used_by { en: "used by", id: "dipakai oleh" }
    title_used { en: "used", id: "dipakai" }

    not_a_link {
        en: "this is no link of an invitation: \
             it begins with https:// or http://, and ends in #/join/ and a secret",
        id: "ini bukan tautan undangan: \
             awalnya https:// atau http://, dan akhirnya #/join/ dan sebuah rahasia",
    }
    choose_name_question { en: "Choose a name to log in with:", id: "Pilih nama untuk login:" }
    name_not_possible(reason) {
        en: "{reason}: choose 1 to 32 of a-z, 0-9, _ and -",
        id: "{reason}: pilih 1 sampai 32 dari a-z, 0-9, _, dan -",
    }
    no_name_chosen { en: "no name was chosen", id: "belum ada nama yang dipilih" }
    give_name_to_join {
        en: "name it after the link: chat-cli join LINK NAME",
        id: "tulis sesudah tautannya: chat-cli join TAUTAN NAMA",
    }
    invitation_is_for(theirs) {
        en: "the invitation is for {theirs}",
        id: "undangan itu untuk {theirs}",
    }
    leave_name_out { en: "leave the name out", id: "jangan tulis namanya" }
    choose_password_prompt(name) {
        en: "Choose a password for {name}: ",
        id: "Pilih password untuk {name}: ",
    }
    choose_password_again_prompt { en: "The password again: ", id: "Passwordnya sekali lagi: " }
    chosen_passwords_differ {
        en: "the passwords are not the same",
        id: "kedua password itu tidak sama",
    }
    no_account_made {
        en: "no account was made; try again",
        id: "belum ada akun yang dibuat; ulangi dari awal",
    }
    joined(name) { en: "you are {name}, and logged in", id: "kamu {name}, dan sudah login" }
    joined_rooms(rooms) { en: "you are in {rooms}", id: "kamu ada di {rooms}" }
    join_before_log_in(name) {
        en: "if it was you: chat-cli auth {name}",
        id: "kalau itu kamu: chat-cli auth {name}",
    }
    ask_for_another_link {
        en: "ask for another link",
        id: "mintalah tautan yang lain",
    }
    joined_elsewhere(server) {
        en: "for later commands: export CHAT_SERVER={server}",
        id: "untuk perintah berikutnya: export CHAT_SERVER={server}",
    }
}
