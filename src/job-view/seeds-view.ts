import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import type { JobState } from '../comfy/index.js';

/** A seed that was drawn, because the workflow left it open. */
@ApiSchema({ name: 'DrawnSeed', description: 'A seed that was drawn, because the workflow left it open.' })
export class DrawnSeedDto {
  /** The node it is for. */
  @ApiProperty({ example: '3' })
  node_id!: string;
  /** Name of the input. */
  @ApiProperty({ example: 'seed' })
  input!: string;
  /** The seed: sent as it is, the workflow makes the same picture again. */
  @ApiProperty({ type: 'integer', format: 'int64', minimum: 0, example: 804_231_957_102_331 })
  value!: number;
}

/** `{ seeds }` of a job; empty where none was drawn, so that it can be spread into a reply. */
export function toSeeds({ seeds = [] }: Pick<JobState, 'seeds'>): { seeds?: DrawnSeedDto[] } {
  if (seeds.length === 0) return {};
  return { seeds: seeds.map(({ node, input, value }) => ({ node_id: node, input, value })) };
}
