// Placeholder until the room is merged.
import { randomUUID } from 'node:crypto';
import { Global, Injectable, Module } from '@nestjs/common';
import { Storage, type OpenFile, type StoredFile } from '../storage/index.js';
export interface Asset {
  id: string;
  file: string;
  hash: string | null;
  kind: string;
  contentType: string;
  size: number;
  md5: string;
  path: string | null;
  job: string | null;
  createdAt: number;
  expiresAt: number | null;
}
@Injectable()
export class Assets {
  private readonly map = new Map<string, Asset>();
  constructor(private readonly storage: Storage) {}
  register(file: StoredFile, origin: { job: string; path: string | null }): Asset {
    const asset = {
      ...file,
      id: randomUUID(),
      file: file.key,
      hash: null,
      ...origin,
      createdAt: Date.now(),
      expiresAt: null,
    };
    this.map.set(asset.id, asset);
    return asset;
  }
  find(id: string): Asset | undefined {
    return this.map.get(id);
  }
  ofJob(job: string): Asset[] {
    return [...this.map.values()].filter((a) => a.job === job);
  }
  hashOf(asset: Asset): Promise<string> {
    return Promise.resolve(asset.hash ?? `blake3:${asset.md5}`);
  }
  open(asset: Asset): Promise<OpenFile> {
    return this.storage.open(asset.file);
  }
  async remove(id: string): Promise<boolean> {
    const a = this.map.get(id);
    this.map.delete(id);
    if (a) await this.storage.discard(a.file);
    return a !== undefined;
  }
  async removeOfJob(job: string): Promise<void> {
    for (const a of this.ofJob(job)) await this.remove(a.id);
  }
  forgetOfJob(job: string): void {
    for (const a of this.ofJob(job)) this.map.delete(a.id);
  }
  async sweep(_now: number): Promise<number> {
    return Promise.resolve(0);
  }
}
@Global()
@Module({ providers: [Assets], exports: [Assets] })
export class AssetsModule {}
