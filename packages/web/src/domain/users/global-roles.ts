/** The roles of users on the whole server. */
export const GLOBAL_ROLE_OPTIONS = [
  { value: 'user', label: 'User', hint: 'Sees the projects that they are members of' },
  { value: 'admin', label: 'Admin', hint: 'Manages users, and everything in all projects' },
] as const;
