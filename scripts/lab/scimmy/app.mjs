// A SCIM server around SCIMMY and its Express routers: the protocol is theirs, the store in memory is ours.
// PORT and TOKEN come from the environment; it serves on loopback under /scim.
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";
import { randomUUID } from "node:crypto";

const { PORT, TOKEN } = process.env;
const refused = (status, type, why) => new SCIMMY.Types.Error(status, type, why);
const folded = (value) => (value === undefined ? undefined : String(value).toLowerCase());

/** Resources by id; `unique` is the attribute that no two may share, if any. */
class Store {
    constructor(unique) {
        this.unique = unique;
        this.byId = new Map();
        this.holders = new Map();
    }
    keep(id, data) {
        const name = this.unique && folded(data[this.unique]);
        const holder = name === undefined ? undefined : this.holders.get(name);
        if (holder !== undefined && holder !== id) throw refused(409, "uniqueness", `${this.unique} is taken`);
        const before = this.byId.get(id);
        if (this.unique && before) this.holders.delete(folded(before[this.unique]));
        if (name !== undefined) this.holders.set(name, id);
        const now = new Date().toISOString();
        const kept = { ...structuredClone(JSON.parse(JSON.stringify(data))), id };
        kept.meta = { created: before?.meta?.created ?? now, lastModified: now };
        this.byId.set(id, kept);
        return kept;
    }
    get(id) {
        const found = this.byId.get(id);
        if (!found) throw refused(404, null, `${id} is not there`);
        return found;
    }
    remove(id) {
        const gone = this.get(id);
        if (this.unique) this.holders.delete(folded(gone[this.unique]));
        this.byId.delete(id);
    }
}

const serve = (Resource, store) =>
    SCIMMY.Resources.declare(Resource)
        .ingress((resource, data) => {
            if (resource.id) store.get(resource.id);
            return store.keep(resource.id ?? randomUUID(), data);
        })
        .egress((resource) => {
            if (resource.id) return store.get(resource.id);
            const all = [...store.byId.values()];
            return resource.filter ? resource.filter.match(all) : all;
        })
        .degress((resource) => store.remove(resource.id));

serve(SCIMMY.Resources.User, new Store("userName"));
SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false);
serve(SCIMMY.Resources.Group, new Store());

const app = express();
app.disable("x-powered-by");
app.use("/scim", new SCIMMYRouters({
    type: "bearer",
    docUri: "https://example.com/",
    handler: (request) => {
        if (request.header("Authorization") !== `Bearer ${TOKEN}`) throw new Error("Unauthorized");
        return "test";
    },
    baseUri: (request) => `http://${request.header("host")}`,
}));
app.listen(Number(PORT), "127.0.0.1");
