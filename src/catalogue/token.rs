//! Access tokens: what `chat-cli token` and `chat-server token` print.

texts! {
    token_shown_once {
        en: "this token is not shown again: keep it where the program that uses it finds it",
        id: "token ini tidak ditampilkan lagi: simpan di tempat program yang memakainya",
    }
    no_token_of_this_name(name) {
        en: "there is no access token {name}",
        id: "tidak ada token akses {name}",
    }
    token_list_shows { en: "`token list` shows them", id: "`token list` menampilkannya" }
    one_token_revoked { en: "1 token revoked", id: "1 token dicabut" }
    tokens_revoked(count) { en: "{count} tokens revoked", id: "{count} token dicabut" }
    to_everybody { en: "everybody", id: "semua" }
    never_expires { en: "does not expire", id: "tidak kedaluwarsa" }
    expires_at(at) { en: "expires {at}", id: "kedaluwarsa {at}" }
    never_used { en: "never used", id: "belum pernah dipakai" }
    token_used(at, from) { en: "used {at} from {from}", id: "dipakai {at} dari {from}" }
    give_token_name(reason) {
        en: "{reason}: give 1 to 32 of a-z, 0-9, _, - and .",
        id: "{reason}: isi 1 sampai 32 dari a-z, 0-9, _, -, dan .",
    }
    give_token_life {
        en: "give whole seconds, at least 1s and at most 3660d",
        id: "isi detik bulat, paling sedikit 1s dan paling banyak 3660d",
    }
    targets_only_for_send {
        en: "--to: only a token with --can send or hook has targets",
        id: "--to: hanya token dengan --can send atau hook yang punya tujuan",
    }
    hook_has_one_target {
        en: "--to: give the one user or room that the hook posts to",
        id: "--to: isi satu user atau ruang yang dituju hook itu",
    }
    hook_is_posted_to {
        en: "programs post to the path /hooks/ and this token, at the server's HTTP address",
        id: "program mengirim ke path /hooks/ dan token ini, di alamat HTTP server",
    }
    too_many_targets(max) {
        en: "--to: give at most {max} users and rooms",
        id: "--to: isi paling banyak {max} user dan ruang",
    }
    title_token { en: "token", id: "token" }
    title_can { en: "can", id: "boleh" }
    title_to { en: "to", id: "ke" }
    title_from { en: "from", id: "dari" }
    token_of_bot(name) {
        en: "make a token for it: chat-server token create --user {name} NAME",
        id: "buat token untuknya: chat-server token create --user {name} NAMA",
    }
}
