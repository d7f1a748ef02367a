import { IsUUID } from 'class-validator';

/** Which job to watch, or not to watch any more. */
export class SubscriptionDto {
  @IsUUID(undefined, { message: 'must be the id of a job: a UUID' })
  job_id!: string;
}
