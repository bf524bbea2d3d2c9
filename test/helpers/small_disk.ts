/** A disk that is soon full, where this user may mount one. */
import assert from "node:assert/strict";
import { tempDir } from "./temp.ts";

/** A mounted disk of 1 MiB. Disposing it takes it away, with all that is on it. */
export async function smallDisk(path: string): Promise<AsyncDisposable> {
  assert.ok(await mount(path), `mount ${path}`);
  return { [Symbol.asyncDispose]: () => unmount(path) };
}

/** Why no small disk can be had here; `undefined` if it can. */
export async function needSmallDisk(): Promise<string | undefined> {
  if (Deno.uid() !== 0) return "only root can mount a small disk";
  await using dir = await tempDir();
  if (!await mount(dir.path)) return "this machine lets nobody mount a tmpfs";
  await unmount(dir.path);
  return undefined;
}

async function mount(path: string): Promise<boolean> {
  try {
    const args = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", path];
    return (await new Deno.Command("mount", { args, stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function unmount(path: string): Promise<void> {
  const { success } = await new Deno.Command("umount", { args: ["-l", path] }).output();
  assert.ok(success, `umount ${path}`);
}
