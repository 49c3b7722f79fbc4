//! The texts about messages that are edited and deleted.

texts! {
    message_is_edited(id) { en: "message {id} is edited", id: "pesan {id} sudah diubah" }
    message_is_deleted(id) { en: "message {id} is deleted", id: "pesan {id} sudah dihapus" }
    edited(by, id, text) { en: "{by} edited {id}: {text}", id: "{by} mengubah {id}: {text}" }
    deleted(by, id) { en: "{by} deleted {id}", id: "{by} menghapus {id}" }
    an_operator { en: "an operator", id: "operator" }
    edited_mark { en: "(edited)", id: "(diubah)" }
}
