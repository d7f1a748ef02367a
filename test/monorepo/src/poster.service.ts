import { BadGatewayException, Injectable, NotFoundException } from '@nestjs/common';
import { ComfyService, isFinal } from 'comfy-sync-server';
import { filter, firstValueFrom, map, tap } from 'rxjs';

export interface Poster {
  job: string;
  link: string;
  /** How many times the job was seen to change. */
  changes: number;
}

@Injectable()
export class PosterService {
  constructor(private readonly comfy: ComfyService) {}

  async print(color: number): Promise<Poster> {
    const { id } = await this.comfy.submit({ workflow: posterOf(color), outputNode: 277 });
    let changes = 0;
    const end = await firstValueFrom(
      this.comfy.watch(id).pipe(
        tap(() => (changes += 1)),
        map(({ state }) => state),
        filter(isFinal),
      ),
    );
    const [picture] = end.outputs;
    if (picture === undefined) throw new BadGatewayException(end.failure?.message ?? end.status);
    return { job: id, link: picture.url, changes };
  }

  status(job: string): string {
    const state = this.comfy.find(job);
    if (state === undefined) throw new NotFoundException();
    return state.status;
  }
}

function posterOf(color: number) {
  return {
    '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 96, batch_size: 1, color } },
    '277': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'poster' } },
  };
}
