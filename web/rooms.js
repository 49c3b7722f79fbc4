// Rooms: those that one can join, a new one, and the members and settings of one.

import { call, everyPage } from "./api.js";
import { attempts, latest } from "./attempt.js";
import { addressOf } from "./conversation-list.js";
import { button, check, choice, dialog, field, fill, form, isolated, make } from "./dom.js";
import { names } from "./text.js";
import { say } from "./words.js";

/** @typedef {import("./api.js").Room} Room */
/** @typedef {import("./inbox.js").Inbox} Inbox */

/** @param {string} name */
const withSign = (name) => `#${name.trim().toLowerCase().replace(/^#/, "")}`;

/**
 * The rooms that there are, and a form for a new one.
 * @param {Inbox} inbox
 */
export async function showRooms(inbox) {
  const { problem, attempt } = attempts();
  const list = make("ul", { class: "rows" });
  const name = make("input", { required: true, maxlength: 33, autocapitalize: "none" });
  const topic = make("input", { maxlength: 256 });
  const enter = (/** @type {Room} */ room) => {
    inbox.roomEntered(room);
    // The reader has closed it meanwhile, and looks at something else.
    if (!shown.isConnected) return;
    shown.close();
    location.hash = addressOf(room.room);
  };
  const hidden = check(say("page_private_room"));
  const wanted = () => ({
    room: withSign(name.value),
    topic: topic.value,
    private: hidden.input.checked,
  });
  const create = form(
    () => void attempt(async () => enter(await call("room_create", wanted()))),
    {},
    make("h3", {}, say("page_new_room")),
    field(say("page_room_name"), name),
    field(say("page_topic"), topic),
    hidden.element,
    make("button", { type: "submit", class: "main" }, say("page_create")),
  );
  const shown = dialog(say("page_rooms"), say("page_close"), problem, list, create);
  await attempt(async () => {
    const rooms = await everyPage("rooms", "rooms", "room");
    fill(
      list,
      ...rooms.map((/** @type {Room} */ room) =>
        make(
          "li",
          {},
          make(
            "span",
            {},
            isolated(room.room),
            " ",
            make("small", {}, say("page_member_count", { count: room.members })),
          ),
          make("small", { dir: "auto" }, room.topic),
          room.role
            ? button(say("page_open"), () => enter(room))
            : !room.archived &&
                button(
                  say("page_join"),
                  () =>
                    void attempt(async () => enter(await call("room_join", { room: room.room }))),
                ),
        ),
      ),
    );
  });
}

/**
 * The members and settings of a room.
 * @param {Inbox} inbox
 * @param {string} name
 */
export async function showRoom(inbox, name) {
  const { problem, attempt } = attempts();
  const content = make("div");
  const shown = dialog(name, say("page_close"), problem, content);
  const set = async (/** @type {object} */ fields) => {
    await attempt(async () => {
      inbox.roomChanged(await call("room_set", { room: name, ...fields }));
      await load();
    });
  };
  const ask = async () => {
    const room = /** @type {Room} */ (await call("room", { room: name }));
    return { room, ...(await call("room_members", { room: name })) };
  };
  const load = latest(ask, ({ room, members, more }) => {
    inbox.roomChanged(room);
    fill(content, ...settings(room, set), ...people(room, members, more), ...ways(room));
  });

  /**
   * @param {Room} room
   * @param {{ user: string, display_name: string, role: string }[]} members
   * @param {boolean} more
   */
  function people(room, members, more) {
    const owner = room.role === "owner";
    const removes = owner || room.role === "moderator";
    const who = make("input", { required: true, autocapitalize: "none" });
    const invite = form(
      () =>
        void attempt(async () => {
          await call("room_invite", { room: name, users: names(who.value) });
          who.value = "";
        }),
      { class: "line" },
      field(say("page_invite_whom"), who),
      make("button", { type: "submit" }, say("page_invite")),
    );
    return [
      make("h3", {}, say("page_members")),
      make(
        "ul",
        { class: "rows" },
        ...members.map(({ user, display_name, role }) => {
          const roles = choice(
            roleNames(),
            role,
            (wanted) => void set({ role: { user, role: wanted } }),
          );
          roles.setAttribute("aria-label", say("page_role_of", { user }));
          return make(
            "li",
            {},
            make("span", {}, isolated(user)),
            make("small", { dir: "auto" }, display_name),
            owner && user !== inbox.me ? roles : make("small", {}, say(`page_role_${role}`)),
            removes &&
              !room.everybody &&
              user !== inbox.me &&
              role !== "owner" &&
              button(
                say("page_remove"),
                () =>
                  void attempt(async () => {
                    await call("room_kick", { room: name, user });
                    await load();
                  }),
                { "aria-label": say("page_remove_user", { user }) },
              ),
          );
        }),
        more && make("li", {}, "…"),
      ),
      room.role && !room.archived && !room.everybody && invite,
    ];
  }

  /**
   * Nobody leaves or closes the room of everybody.
   * @param {Room} room
   */
  function ways(room) {
    if (room.everybody) return [];
    const archived = Boolean(room.archived);
    return [
      make(
        "p",
        { class: "line" },
        room.role &&
          button(
            say("page_leave"),
            () =>
              void attempt(async () => {
                await call("room_leave", { room: name });
                inbox.roomLeft(name);
                shown.close();
                if (isShown(name)) location.hash = "#/";
              }),
          ),
        room.role === "owner" &&
          button(
            say(archived ? "page_unarchive" : "page_archive"),
            () =>
              void attempt(async () => {
                inbox.roomChanged(await call("room_archive", { room: name, archived: !archived }));
                await load();
              }),
          ),
      ),
    ];
  }

  await attempt(load);
}

/** @param {string} name Whether the page shows this room. */
function isShown(name) {
  const address = addressOf(name);
  return location.hash === address || location.hash.startsWith(`${address}/`);
}

/** @returns {[string, string][]} */
function roleNames() {
  return ["member", "moderator", "owner"].map((role) => [role, say(`page_role_${role}`)]);
}

/**
 * What can be set, as far as the reader's role allows it.
 * @param {Room} room
 * @param {(fields: object) => Promise<void>} set
 */
function settings(room, set) {
  const leads = room.role === "owner" || room.role === "moderator";
  const owner = room.role === "owner";
  const topic = make("input", {
    value: room.topic,
    maxlength: 256,
    onchange: () => void set({ topic: topic.value }),
  });
  const hidden = check(say("page_private_room"), (input) => void set({ private: input.checked }));
  hidden.input.checked = room.private;
  /** @type {[string, string][]} */
  const notify = ["all", "mentions", "none"].map((word) => [word, say(`page_notify_${word}`)]);
  /** @type {[string, string][]} */
  const posting = ["members", "moderators"].map((word) => [word, say(`page_posting_${word}`)]);
  /** @type {[string, string][]} */
  const history = ["all", "joined"].map((word) => [word, say(`page_history_${word}`)]);
  return [
    room.archived && make("p", {}, say("page_is_archived")),
    leads ? field(say("page_topic"), topic) : make("p", { dir: "auto" }, room.topic),
    room.role &&
      field(
        say("page_notify"),
        choice(notify, room.notify ?? "all", (word) => void set({ notify: word })),
      ),
    owner &&
      field(
        say("page_posting"),
        choice(posting, room.posting, (word) => void set({ posting: word })),
      ),
    owner &&
      field(
        say("page_history"),
        choice(history, room.history, (word) => void set({ history: word })),
      ),
    owner && !room.everybody && hidden.element,
  ];
}
