import { BadRequestException, Controller, Get, Param, ParseIntPipe, Put } from '@nestjs/common';
import { ComfyError } from 'comfy-sync-server';
import { type Poster, PosterService } from './poster.service.js';

@Controller('posters')
export class PosterController {
  constructor(private readonly posters: PosterService) {}

  @Put(':color')
  async print(@Param('color', ParseIntPipe) color: number): Promise<Poster> {
    try {
      return await this.posters.print(color);
    } catch (error) {
      // What the engine refuses is told in this application's own way.
      throw error instanceof ComfyError ? new BadRequestException(error.code) : error;
    }
  }

  @Get(':job')
  status(@Param('job') job: string): { status: string } {
    return { status: this.posters.status(job) };
  }
}
